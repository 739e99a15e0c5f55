package policy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clerkgate/clerkgate/policy"
)

// ada is somebody with everything that is counted by.
func ada() *policy.Principal {
	digest := sha256.Sum256([]byte("token"))
	p := member()
	p.UserID, p.SessionID, p.OrgID = "user_ada", "sess_1", "org_1"
	p.TokenDigest = string(digest[:])
	p.Plans = policy.ParseEntitlements("o:pro,u:plus")
	p.Claims = map[string]any{"team": map[string]any{"id": float64(7)}, "long": strings.Repeat("x", 200)}
	return p
}

// What is asked for in writing is what requests are counted by.
func TestAWrittenKeyIsThatOfTheRequest(t *testing.T) {
	t.Parallel()
	digest := sha256.Sum256([]byte("token"))
	from := func(peer string) func(*policy.Request) {
		return func(r *policy.Request) { r.Peer = netip.MustParseAddr(peer) }
	}
	for name, c := range map[string]struct {
		limit   string
		who     *policy.Principal
		request func(*policy.Request)
		written policy.LimitQuery
	}{
		"a user":                   {`{"key":"user"}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}}},
		"a machine":                {`{"key":"user"}`, &policy.Principal{TokenType: policy.SessionToken, UserID: "", MachineID: "mch_1", SessionID: "sess_1"}, nil, policy.LimitQuery{Parts: []string{"mch_1"}}},
		"a session":                {`{"key":"session"}`, ada(), nil, policy.LimitQuery{Parts: []string{"sess_1"}}},
		"an organization":          {`{"key":"org"}`, ada(), nil, policy.LimitQuery{Parts: []string{"org_1"}}},
		"its other name":           {`{"key":"organization"}`, ada(), nil, policy.LimitQuery{Parts: []string{"org_1"}}},
		"a token":                  {`{"key":"token"}`, ada(), nil, policy.LimitQuery{Parts: []string{hex.EncodeToString(digest[:])}}},
		"a rule":                   {`{"key":"rule"}`, ada(), nil, policy.LimitQuery{Parts: []string{"a"}}},
		"a header":                 {`{"key":"header:X-Team"}`, ada(), func(r *policy.Request) { r.Headers = append(r.Headers, policy.Header{Name: "x-team", Value: "Red"}) }, policy.LimitQuery{Parts: []string{"Red"}}},
		"a claim that is a number": {`{"key":"claims.team.id"}`, ada(), nil, policy.LimitQuery{Parts: []string{"7"}}},
		"a long claim":             {`{"key":"claims.long"}`, ada(), nil, policy.LimitQuery{Parts: []string{strings.Repeat("x", 200)}}},
		"a path parameter":         {`{"key":":slug"}`, ada(), func(r *policy.Request) { r.Target = "/b/AcMe" }, policy.LimitQuery{Parts: []string{"acmE"}}},
		"an address":               {`{"key":"ip"}`, ada(), from("203.0.113.7"), policy.LimitQuery{Parts: []string{"203.0.113.7"}}},
		"a mapped address":         {`{"key":"ip"}`, ada(), from("203.0.113.7"), policy.LimitQuery{Parts: []string{"::ffff:203.0.113.7"}}},
		"an address with a port":   {`{"key":"ip"}`, ada(), from("203.0.113.7"), policy.LimitQuery{Parts: []string{"203.0.113.7:1234"}}},
		"a long address":           {`{"key":"ip"}`, ada(), from("2001:db8:0:1::7"), policy.LimitQuery{Parts: []string{"2001:DB8:0:1:ffff::9"}}},
		"an address with a zone":   {`{"key":"ip"}`, ada(), from("fe80::1%eth0"), policy.LimitQuery{Parts: []string{"fe80::2%eth1"}}},
		"no address":               {`{"key":"ip"}`, ada(), nil, policy.LimitQuery{Parts: []string{"?"}}},
		"several parts":            {`{"key":["org","ip"]}`, ada(), from("203.0.113.7"), policy.LimitQuery{Parts: []string{"org_1", "203.0.113.7"}}},
		"nobody's user":            {`{"key":"user"}`, nil, from("2001:db8:0:1::7"), policy.LimitQuery{Parts: []string{""}, Address: "2001:db8:0:1::8"}},
		"nobody's, with more":      {`{"key":["user","rule"]}`, nil, from("203.0.113.7"), policy.LimitQuery{Parts: []string{"", "a"}, Address: "203.0.113.7"}},
		"a plan":                   {`{"key":"user","plans":{"org:pro":50}}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}, Plan: "pro"}},
		"a user's plan":            {`{"key":"user","plans":{"user:plus":50},"algorithm":"token_bucket","burst":20}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}, Plan: "user:plus"}},
		"a role":                   {`{"key":"user","roles":{"org:member":40}}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}, Role: "member"}},
		"a plan and a role":        {`{"key":"user","roles":{"member":40},"plans":{"pro":30}}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}, Plan: "org:pro", Role: "org:member"}},
		"a cost":                   {`{"key":"user","cost":{"POST":5}}`, ada(), func(r *policy.Request) { r.Method = "POST" }, policy.LimitQuery{Parts: []string{"user_ada"}, Method: "POST"}},
		"what the store is told":   {`{"key":"user","consistency":"leased","on_store_error":"deny"}`, ada(), nil, policy.LimitQuery{Parts: []string{"user_ada"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := policy.Limit{Limit: 10, Window: policy.Duration(time.Minute)}
			if err := json.Unmarshal([]byte(c.limit), &l); err != nil {
				t.Fatal(err)
			}
			path, target := "/a", "/a"
			if l.Key[0] == ":slug" {
				path, target = "/b/:slug", "/b/acme"
			}
			config := rules(policy.Rule{Name: "a", Match: paths(path), Access: policy.Public, Limits: policy.StringList{"l"}})
			config.Limits = map[string]policy.Limit{"l": l}
			deps, counted := goodDeps(), &asked{}
			deps.Limiter, deps.Authenticator = counted, as(c.who)
			p, err := policy.New(config, deps)
			if err != nil {
				t.Fatal(err)
			}
			r := get(target)
			if c.request != nil {
				c.request(r)
			}
			p.Decide(t.Context(), r)
			got, err := config.LimitChecks(c.written)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]policy.LimitCheck{counted.check}, got, cmpopts.IgnoreFields(policy.LimitCheck{}, "Strangers"), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Errorf("the request (-) and what is written (+) differ:\n%s", diff)
			}
		})
	}
}

func TestAWrittenKeyIsThatOfAllLimitsThatCanReadIt(t *testing.T) {
	t.Parallel()
	config := policy.Config{Limits: map[string]policy.Limit{
		"per-ip":   {Limit: 1, Window: policy.Duration(time.Minute), Key: policy.StringList{"ip"}},
		"per-user": {Limit: 2, Window: policy.Duration(time.Minute), Key: policy.StringList{"user"}, Cost: policy.Cost{"POST": 2, "any": 0}},
		"per-org":  {Limit: 3, Window: policy.Duration(time.Minute), Key: policy.StringList{"org"}, Plans: map[string]int{"pro": 9}},
		"per-both": {Limit: 4, Window: policy.Duration(time.Minute), Key: policy.StringList{"org", "ip"}},
	}}
	for _, c := range []struct {
		written policy.LimitQuery
		want    string
	}{
		{policy.LimitQuery{Parts: []string{"user_1"}}, "per-org 3 1, per-user 2 1"},
		{policy.LimitQuery{Parts: []string{"user_1"}, Method: "POST"}, "per-org 3 1, per-user 2 2"},
		{policy.LimitQuery{Parts: []string{"user_1"}, Plan: "pro"}, "per-org 9 1, per-user 2 1"},
		{policy.LimitQuery{Parts: []string{"user_1"}, Every: true}, "per-org 3 1, per-org 9 1, per-user 2 1"},
		{policy.LimitQuery{Parts: []string{"user_1"}, Plan: "pro", Every: true}, "per-org 9 1, per-org 3 1, per-user 2 1"},
		{policy.LimitQuery{Parts: []string{"::1"}}, "per-ip 1 1, per-org 3 1, per-user 2 1"},
		{policy.LimitQuery{Parts: []string{"org_1", "::1"}}, "per-both 4 1"},
		{policy.LimitQuery{Limit: "per-user", Parts: []string{"user_1"}}, "per-user 2 1"},
	} {
		checks, err := config.LimitChecks(c.written)
		if err != nil {
			t.Errorf("%+v: %v", c.written, err)
		}
		var got []string
		for _, check := range checks {
			got = append(got, check.Name+" "+string(rune('0'+check.Quota.Limit))+" "+string(rune('0'+check.Cost)))
		}
		if said := strings.Join(got, ", "); said != c.want {
			t.Errorf("%+v: %s, want %s", c.written, said, c.want)
		}
	}
}

func TestWrittenKeysThatAreNone(t *testing.T) {
	t.Parallel()
	limit := policy.Limit{Limit: 1, Window: policy.Duration(time.Minute)}
	with := func(l policy.Limit, key ...string) policy.Limit { l.Key = key; return l }
	planned := with(limit, "user")
	planned.Plans = map[string]int{"pro": 9}
	config := policy.Config{Limits: map[string]policy.Limit{"per-ip": with(limit, "ip"), "per-user": planned, "per-token": with(limit, "token"), "both": with(limit, "org", "ip")}}
	for name, c := range map[string]struct {
		config  policy.Config
		written policy.LimitQuery
		want    string
	}{
		"no limits":            {policy.Config{}, policy.LimitQuery{Parts: []string{"a"}}, "has no limits"},
		"a misspelt limit":     {config, policy.LimitQuery{Limit: "per-usr", Parts: []string{"a"}}, `did you mean "per-user"?`},
		"too few parts":        {config, policy.LimitQuery{Limit: "both", Parts: []string{"a"}}, `limit "both": its key has the parts org, ip, and 1 are written`},
		"parts of no limit":    {config, policy.LimitQuery{Parts: []string{"a", "b", "c"}}, `limit "per-ip": its key has the parts ip, and 3 are written`},
		"no address":           {config, policy.LimitQuery{Limit: "per-ip", Parts: []string{"localhost"}}, `"localhost" is not an address`},
		"a network":            {config, policy.LimitQuery{Limit: "per-ip", Parts: []string{"10.0.0.0/8"}}, "is not an address"},
		"a token":              {config, policy.LimitQuery{Limit: "per-token", Parts: []string{"canary"}}, "not the SHA-256 of a token"},
		"an empty part":        {config, policy.LimitQuery{Limit: "per-user", Parts: []string{""}}, "no address to count in its place"},
		"somewhere":            {config, policy.LimitQuery{Limit: "per-user", Parts: []string{""}, Address: "here"}, `"here" is not an address`},
		"a misspelt plan":      {config, policy.LimitQuery{Parts: []string{"u"}, Plan: "prp"}, `no quota is for plan "prp" (did you mean "pro"?)`},
		"no plan":              {config, policy.LimitQuery{Parts: []string{"u"}, Plan: "x:pro"}, "is not a plan"},
		"a role without quota": {config, policy.LimitQuery{Parts: []string{"u"}, Role: "org:admin"}, `no quota is for role "org:admin" (all have the same)`},
	} {
		checks, err := c.config.LimitChecks(c.written)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, checks, err)
		}
	}
}
