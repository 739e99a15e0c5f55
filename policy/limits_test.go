package policy_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// limited is a policy of one rule under one limit, over real counts.
func limited(t *testing.T, who *policy.Principal, limit string) *policy.Policy {
	t.Helper()
	var l policy.Limit
	if err := json.Unmarshal([]byte(limit), &l); err != nil {
		t.Fatal(err)
	}
	config := rules(policy.Rule{Name: "a", Match: paths("/a"), Limits: policy.StringList{"l"}})
	config.Limits = map[string]policy.Limit{"l": l}
	p, err := policy.New(config, policy.Deps{Authenticator: as(who), Limiter: ratelimit.NewMemory(ratelimit.Options{}), Now: func() time.Time { return instant }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// passing counts how many of n requests pass.
func passing(t *testing.T, p *policy.Policy, r *policy.Request, n int) int {
	t.Helper()
	passed := 0
	for range n {
		switch d := p.Decide(t.Context(), r); {
		case d.Allowed():
			passed++
		case d.Reason != policy.ReasonRateLimited:
			t.Fatalf("%s: %v", d.Reason, d.Cause)
		}
	}
	return passed
}

func TestWhatALimitSays(t *testing.T) {
	t.Parallel()
	onPlan := member()
	onPlan.Plans = policy.ParseEntitlements("o:pro")
	from := func(peer string, r *policy.Request) *policy.Request {
		r.Peer = netip.MustParseAddr(peer)
		return r
	}
	post := get("/a")
	post.Method = "POST"
	for name, c := range map[string]struct {
		limit string
		who   *policy.Principal
		r     *policy.Request
		want  int
	}{
		"its number":                          {`{"limit":3,"window":"10s","key":"user"}`, member(), get("/a"), 3},
		"a plan's number":                     {`{"limit":3,"window":"10s","key":"user","plans":{"pro":5}}`, onPlan, get("/a"), 5},
		"a role's number":                     {`{"limit":3,"window":"10s","key":"user","roles":{"org:admin":7}}`, admin(), get("/a"), 7},
		"a role without its prefix":           {`{"limit":3,"window":"10s","key":"user","roles":{"admin":7}}`, admin(), get("/a"), 7},
		"another role's number is not theirs": {`{"limit":3,"window":"10s","key":"user","roles":{"org:admin":7}}`, member(), get("/a"), 3},
		"the most generous number":            {`{"limit":3,"window":"10s","key":"user","roles":{"org:member":4},"plans":{"pro":6}}`, onPlan, get("/a"), 6},
		"a fixed window's number":             {`{"algorithm":"fixed_window","limit":3,"window":"10s","key":"user"}`, member(), get("/a"), 3},
		"a cost":                              {`{"limit":9,"window":"10s","key":"user","cost":4}`, member(), get("/a"), 2},
		"a method's cost":                     {`{"limit":9,"window":"10s","key":"user","cost":{"POST":3}}`, member(), post, 3},
		"any other method's cost":             {`{"limit":8,"window":"10s","key":"user","cost":{"POST":1,"any":4}}`, member(), get("/a"), 2},
		"what costs nothing is not counted":   {`{"limit":1,"window":"10s","key":"user","cost":{"POST":1,"any":0}}`, member(), get("/a"), 9},
		"clients that are left out":           {`{"limit":1,"window":"10s","key":"ip","allow":["10.0.0.0/8"]}`, member(), from("10.1.2.3", get("/a")), 9},
		"clients that are not":                {`{"limit":1,"window":"10s","key":"ip","allow":["10.0.0.0/8"]}`, member(), from("11.1.2.3", get("/a")), 1},
		"clients without an address are not":  {`{"limit":1,"window":"10s","key":"ip","allow":["10.0.0.0/8"]}`, member(), get("/a"), 1},
		"only watching":                       {`{"limit":1,"window":"10s","key":"user","shadow":true}`, member(), get("/a"), 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := passing(t, limited(t, c.who, c.limit), c.r, 9); got != c.want {
				t.Errorf("%d of 9 pass, want %d", got, c.want)
			}
		})
	}
}

// Before authentication a flood of bad tokens costs nobody a signature check;
// afterwards anonymous requests do not use up what is meant for users.
func TestTheStageOfALimit(t *testing.T) {
	t.Parallel()
	for stage, want := range map[string]policy.Reason{"": policy.ReasonRateLimited, "before_auth": policy.ReasonRateLimited, "after_auth": policy.ReasonSessionMissing} {
		p := limited(t, nil, `{"limit":1,"window":"10s","key":"ip","stage":"`+stage+`"}`)
		p.Decide(t.Context(), get("/a"))
		if d := p.Decide(t.Context(), get("/a")); d.Reason != want {
			t.Errorf("stage %q: %s, want %s", stage, d.Reason, want)
		}
	}
}

func TestLimitsAreToldOnRequest(t *testing.T) {
	t.Parallel()
	p := limited(t, member(), `{"limit":2,"window":"10s","key":"user","headers":true}`)
	d := p.Decide(t.Context(), get("/a"))
	if got := d.Header("RateLimit") + " " + d.Header("RateLimit-Policy"); got != `"l";r=1;t=10 "l";q=2;w=10` {
		t.Errorf("fields %s", got)
	}
	for _, quiet := range []string{`{"limit":2,"window":"10s","key":"user"}`, `{"limit":2,"window":"10s","key":"user","headers":true,"shadow":true}`} {
		d := limited(t, member(), quiet).Decide(t.Context(), get("/a"))
		if slices.ContainsFunc(d.ResponseHeaders, func(h policy.Header) bool { return strings.HasPrefix(h.Name, "RateLimit") }) {
			t.Errorf("%s: fields %v", quiet, d.ResponseHeaders)
		}
	}
}

func TestALimitInShadowIsSeen(t *testing.T) {
	t.Parallel()
	p := limited(t, member(), `{"limit":1,"window":"10s","key":"user","shadow":true}`)
	p.Decide(t.Context(), get("/a"))
	d := p.Decide(t.Context(), get("/a"))
	if !d.Allowed() || len(d.Limits) != 1 || d.Limits[0].Allowed || !d.Limits[0].Shadow {
		t.Errorf("%s, %+v", d.Reason, d.Limits)
	}
}

func TestBadLimitsAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ limit, path, text string }{
		"no key":                  {`{"limit":1,"window":"10s"}`, "limits.l.key", "no key"},
		"a misspelt key":          {`{"limit":1,"window":"10s","key":"usr"}`, "limits.l.key[0]", `unknown key "usr"`},
		"a misspelt algorithm":    {`{"limit":1,"window":"10s","key":"ip","algorithm":"sliding"}`, "limits.l.algorithm", "unknown algorithm"},
		"no limit":                {`{"window":"10s","key":"ip","algorithm":"token_bucket","plans":{"pro":1}}`, "limits.l.limit", "0 is not a limit"},
		"a window's burst":        {`{"limit":1,"window":"10s","key":"ip","burst":2}`, "limits.l.burst", "no burst"},
		"a cost above the limit":  {`{"limit":3,"window":"10s","key":"ip","cost":4}`, "limits.l.cost", "could never pass"},
		"a cost above a plan's":   {`{"limit":9,"window":"10s","key":"ip","cost":4,"plans":{"free":3}}`, "limits.l.cost", "could never pass"},
		"a method's cost":         {`{"limit":3,"window":"10s","key":"ip","cost":{"POST":4}}`, "limits.l.cost", "could never pass"},
		"a negative cost":         {`{"limit":3,"window":"10s","key":"ip","cost":-1}`, "limits.l.cost", "could never pass"},
		"a cost of no method":     {`{"limit":3,"window":"10s","key":"ip","cost":{"P T":1}}`, "limits.l.cost", "not a method"},
		"an early limit by user":  {`{"limit":3,"window":"10s","key":"user","stage":"before_auth"}`, "limits.l.stage", "not known before authentication"},
		"an early limit by plan":  {`{"limit":3,"window":"10s","key":"ip","plans":{"pro":5},"stage":"before_auth"}`, "limits.l.stage", "not known before authentication"},
		"a misspelt stage":        {`{"limit":3,"window":"10s","key":"ip","stage":"before"}`, "limits.l.stage", "unknown stage"},
		"a misspelt consistency":  {`{"limit":3,"window":"10s","key":"ip","consistency":"lease"}`, "limits.l.consistency", "unknown value"},
		"a misspelt store policy": {`{"limit":3,"window":"10s","key":"ip","on_store_error":"pass"}`, "limits.l.on_store_error", "unknown value"},
		"everybody is left out":   {`{"limit":3,"window":"10s","key":"ip","allow":"0.0.0.0/0"}`, "limits.l.allow[0]", "names no clients"},
		"nobody is left out":      {`{"limit":3,"window":"10s","key":"ip","allow":"office"}`, "limits.l.allow[0]", "names no clients"},
		"a role twice":            {`{"limit":3,"window":"10s","key":"ip","roles":{"admin":4,"org:admin":5}}`, "limits.l.roles.org:admin", "twice"},
		"a role's negative limit": {`{"limit":3,"window":"10s","key":"ip","roles":{"admin":-4}}`, "limits.l.roles.admin", "not a limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l policy.Limit
			if err := json.Unmarshal([]byte(c.limit), &l); err != nil {
				t.Fatal(err)
			}
			errs := compileErrors(t, policy.Config{Limits: map[string]policy.Limit{"l": l}}, goodDeps())
			if !slices.ContainsFunc(errs, func(e *policy.ConfigError) bool { return e.Path == c.path && strings.Contains(e.Msg, c.text) }) {
				t.Errorf("errors %v, want one at %s with %q", errs, c.path, c.text)
			}
		})
	}
}

func TestCostsAreWholeNumbers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`1.5`, `"2"`, `null`, `[1]`, `{"POST":"2"}`, `{"POST":1.5}`, `{}`, `true`} {
		var c policy.Cost
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s is a cost: %+v", text, c)
		}
	}
	for _, text := range []string{`3`, `{"POST":5,"any":2}`} {
		var c policy.Cost
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := json.Marshal(c); err != nil || string(got) != text {
			t.Errorf("%s comes back as %s (%v)", text, got, err)
		}
	}
}

func TestALimitTellsTheStoreWhatItWants(t *testing.T) {
	t.Parallel()
	deps, counted := goodDeps(), &asked{}
	deps.Limiter = counted
	config := rules(policy.Rule{Name: "a", Match: paths("/a"), Limits: policy.StringList{"l"}})
	config.Limits = map[string]policy.Limit{"l": {Limit: 5, Window: policy.Duration(time.Minute), Key: policy.StringList{"user"}, Cost: policy.Cost{"any": 2},
		Algorithm: policy.FixedWindow, Consistency: policy.Leased, OnStoreError: policy.StoreErrorDeny}}
	p, err := policy.New(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	p.Decide(t.Context(), get("/a"))
	want := policy.LimitCheck{Name: "l", Cost: 2, Consistency: policy.Leased, OnStoreError: policy.StoreErrorDeny,
		Quota: policy.Quota{Algorithm: policy.FixedWindow, Limit: 5, Window: time.Minute, Burst: 5}}
	if got := counted.check; got.Key == "" || got.Name != want.Name || got.Cost != want.Cost || got.Consistency != want.Consistency || got.OnStoreError != want.OnStoreError || got.Quota != want.Quota {
		t.Errorf("asked %+v, want %+v", got, want)
	}
}

// asked keeps the last check it was asked.
type asked struct{ check policy.LimitCheck }

func (a *asked) Take(_ context.Context, _ time.Time, checks []policy.LimitCheck, _ []policy.LimitResult) error {
	a.check = checks[0]
	return nil
}
