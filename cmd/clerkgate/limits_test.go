package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// signedIn is who asks, whatever the request holds.
type signedIn struct{ who *policy.Principal }

func (s signedIn) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	if s.who == nil {
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	}
	return policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: s.who}
}

// instance is a gate that counts in the Redis of a document.
type instance struct {
	*policy.Policy
	stores *setup.Stores
}

func startInstance(t *testing.T, document string, who *policy.Principal) *instance {
	t.Helper()
	config, _, err := setup.LoadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	config.Redis.Budget = policy.Duration(20 * time.Second) // the test is not about time
	stores, err := setup.OpenStores(config, setup.NewMemory(), setup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stores.Close)
	p, err := policy.New(config.Config, policy.Deps{Authenticator: signedIn{who}, Limiter: stores.Limiter, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return &instance{p, stores}
}

// passing counts how many of n requests pass.
func (i *instance) passing(t *testing.T, peer string, n int) int {
	t.Helper()
	passed := 0
	for range n {
		d := i.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Peer: netip.MustParseAddr(peer)})
		switch {
		case d.Allowed():
			passed++
		case d.Reason != policy.ReasonRateLimited:
			t.Fatalf("%s: %v", d.Reason, d.Cause)
		}
	}
	return passed
}

// shown is what `limits show --json` says of one limit.
func shown(t *testing.T, args ...string) standing {
	t.Helper()
	out, err := run(t, append([]string{"limits", "show", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Limits []map[string]any }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Limits) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	l := answer.Limits[0]
	of := func(name string) seconds { return seconds(l[name].(float64) * float64(time.Second)) }
	return standing{Limit: l["limit"].(string), Quota: int(l["quota"].(float64)), Allowed: l["allowed"].(bool), Remaining: int(l["remaining"].(float64)),
		Window: of("window_seconds"), Reset: of("reset_seconds"), RetryAfter: of("retry_after_seconds")}
}

// The commands ask for the key that requests are counted by.
func TestWhoIsLimitedIsShownAndLetBackIn(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--requirepass", "canary")
	ada := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_ada", SessionID: "sess_1", OrgID: "org_1", OrgRole: "org:admin", IssuedAt: time.Now()}
	for name, c := range map[string]struct {
		limit string
		who   *policy.Principal
		peer  string
		args  []string
		quota int
	}{
		"a user":                   {`limit: 3, key: user`, ada, "203.0.113.7", []string{"--key", "user_ada"}, 3},
		"a bucket":                 {`limit: 1, burst: 4, algorithm: token_bucket, key: user`, ada, "203.0.113.7", []string{"--key", "user_ada"}, 4},
		"a leased window":          {`limit: 5, algorithm: fixed_window, consistency: leased, key: user`, ada, "203.0.113.7", []string{"--key", "user_ada"}, 5},
		"a role's quota":           {`limit: 3, roles: {"org:admin": 6}, key: user`, ada, "203.0.113.7", []string{"--key", "user_ada", "--role", "org:admin"}, 6},
		"a client in its network":  {`limit: 3, key: ip`, ada, "2001:db8:0:1::7", []string{"--key", "2001:db8:0:1:9::"}, 3},
		"combined parts":           {`limit: 3, key: [org, ip]`, ada, "2001:db8:0:1::7", []string{"--key", "org_1", "--key", "2001:DB8:0:1::8"}, 3},
		"who is not signed in":     {`limit: 3, key: [user, rule]`, nil, "203.0.113.7", []string{"--key", "", "--key", "all", "--address", "203.0.113.7"}, 3},
		"an address in the middle": {`limit: 3, key: [rule, ip, org]`, ada, "203.0.113.7", []string{"--key", "all", "--key", "::ffff:203.0.113.7", "--key", "org_1"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-")
			path := document(t, fmt.Sprintf("redis: {addresses: %q, password: canary}\nlimits:\n  %s: {window: 24h, %s}\nrules:\n  - {name: all, match: {path: /(.*)}, access: public, limits: %s}\n",
				server.Addr, limit, c.limit, limit))
			args := append([]string{"--config", path, "--limit", limit}, c.args...)

			if got := shown(t, args...); !got.Allowed || got.Remaining != c.quota || got.RetryAfter != 0 {
				t.Errorf("before: %+v", got)
			}
			if passed := startInstance(t, path, c.who).passing(t, c.peer, c.quota+2); passed != c.quota {
				t.Fatalf("%d pass, want %d", passed, c.quota)
			}
			if got := shown(t, args...); got.Allowed || got.Remaining != 0 || got.RetryAfter <= 0 || got.Window != seconds(24*time.Hour) {
				t.Errorf("after: %+v", got)
			}
			if passed := startInstance(t, path, c.who).passing(t, c.peer, 1); passed != 0 {
				t.Error("another instance does not refuse; the test shows nothing")
			}

			var reset []string
			for _, arg := range args { // reset takes no quota
				if arg != "--role" && arg != "org:admin" {
					reset = append(reset, arg)
				}
			}
			if out, err := run(t, append([]string{"limits", "reset"}, reset...)...); err != nil || out != limit+": reset\n" {
				t.Errorf("reset: %q, %v", out, err)
			}
			if got := shown(t, args...); !got.Allowed || got.Remaining != c.quota {
				t.Errorf("after the reset: %+v", got)
			}
			if passed := startInstance(t, path, c.who).passing(t, c.peer, 1); passed != 1 {
				t.Error("it is not let back in")
			}
		})
	}
}

// What a key used is counted by quota, and a reset is for all of them.
func TestEveryQuotaOfAKeyIsShownAndReset(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	path := document(t, fmt.Sprintf("redis: {url: \"redis://%s\"}\nlimits:\n  per-user: {limit: 3, window: 24h, key: user, plans: {pro: 9}, roles: {\"org:admin\": 6}}\nrules:\n  - {name: all, match: {path: /(.*)}, limits: per-user}\n", server.Addr))
	for _, who := range []*policy.Principal{{}, {Plans: policy.ParseEntitlements("u:pro")}, {OrgID: "org_1", OrgRole: "org:admin"}} {
		who.TokenType, who.UserID, who.SessionID, who.IssuedAt = policy.SessionToken, "user_ada", "sess_1", time.Now()
		startInstance(t, path, who).passing(t, "203.0.113.7", 2)
	}
	show := func() string {
		out, err := run(t, "limits", "show", "--config", path, "--key", "user_ada")
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			fields := strings.Fields(line)
			left = append(left, fields[1]+" "+fields[6])
		}
		return strings.Join(left, ", ")
	}
	if got := show(); got != "3 1, 6 4, 9 7" {
		t.Errorf("shown: %s", got)
	}
	if out, err := run(t, "limits", "reset", "--config", path, "--key", "user_ada"); err != nil || out != "per-user: reset\n" {
		t.Errorf("reset: %q, %v", out, err)
	}
	if got := show(); got != "3 3, 6 6, 9 9" {
		t.Errorf("after the reset: %s", got)
	}
}

func TestAllLimitsOfAKeyAreShownInATable(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	path := document(t, fmt.Sprintf("redis: {url: \"redis://%s\"}\nlimits:\n  per-user: {limit: 3, window: 1m, key: user, cost: {POST: 2}}\n  burst: {algorithm: token_bucket, limit: 1, window: 1h, burst: 1, key: user}\n  both: {limit: 1, window: 1m, key: [user, ip]}\ndefault: {limits: [per-user, burst, both]}\n", server.Addr))
	config, _, err := setup.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.LimitChecks(policy.LimitQuery{Limit: "burst", Parts: []string{"user_ada"}})
	if err != nil {
		t.Fatal(err)
	}
	i := startInstance(t, path, nil)
	if err := i.stores.Limiter.Take(t.Context(), time.Now(), checks, make([]policy.LimitResult, 1)); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "limits", "show", "--config", path, "--key", "user_ada", "--method", "POST")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || strings.Join(strings.Fields(lines[0]), " ") != "LIMIT QUOTA COST PASSES REMAINING RESETS IN RETRY AFTER" ||
		!strings.HasPrefix(lines[1], "burst     1 in 1h0m0s, burst 1  1     no      0          59m") ||
		!strings.HasPrefix(lines[2], "per-user  3 in 1m0s             2     yes     3          ") || !strings.HasSuffix(lines[2], "  -") {
		t.Errorf("the table is\n%s", out)
	}
}

func TestLimitsSayWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	limits := "limits: {per-user: {limit: 1, window: 1m, key: user}}\ndefault: {limits: per-user}\n"
	local := document(t, limits)
	gone := document(t, limits+"redis: {url: \"redis://user:canary@127.0.0.1:1/0\"}\n")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no redis":         {[]string{"show", "--config", local, "--key", "u"}, "names no redis: each process counts in its own memory"},
		"no redis, either": {[]string{"reset", "--config", local, "--key", "u"}, "restart it; a reload keeps the counts"},
		"nobody there":     {[]string{"show", "--config", gone, "--key", "u"}, `limit "per-user"`},
		"nobody here":      {[]string{"reset", "--config", gone, "--key", "u"}, "resetting"},
		"no key":           {[]string{"show", "--config", gone}, "key"},
		"another limit":    {[]string{"show", "--config", gone, "--limit", "per-usr", "--key", "u"}, `did you mean "per-user"?`},
		"another key":      {[]string{"reset", "--config", gone, "--key", "u", "--key", "v"}, "has the parts user, and 2 are written"},
		"a wrong document": {[]string{"show", "--config", document(t, "limit: 1\n"), "--key", "u"}, "unknown key"},
	} {
		out, err := run(t, append([]string{"limits"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error()+out, "canary") {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}
