package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// counting compiles a policy whose limit "few" lets five requests pass a minute.
func counting(t *testing.T, config policy.Config, who *policy.Principal, key ...string) *policy.Policy {
	t.Helper()
	config.Limits = map[string]policy.Limit{"few": {Limit: 5, Window: policy.Duration(time.Minute), Key: key}}
	p, err := policy.New(config, policy.Deps{Authenticator: as(who), Limiter: ratelimit.NewMemory(ratelimit.Options{}), Now: func() time.Time { return instant }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// passed is how many of some requests pass.
func passed(t *testing.T, p *policy.Policy, method string, targets ...string) int {
	t.Helper()
	n := 0
	for _, target := range targets {
		r := get(target)
		r.Method = method
		if d := p.Decide(t.Context(), r); d.Allowed() {
			n++
		}
	}
	return n
}

// spellings are paths that some upstream takes for /api/login.
var spellings = []string{
	"/api/login", "/API/LOGIN", "/api/Login", "/api/login/", "//api/login", "/api//login", "/api/login;x=1", "/api;x/login", "/api/login.", "/api/login.json", "/api/LOGIN.json",
	"/api/login%20", "/%61pi/login", "/api/logi%6e", "/api/%EF%BD%8Cogin", "/api/./login", "/x/../api/login", "/api/login?x", "/api/login%3F", "/api/login/index.html", "/API/Login/Index.PHP",
	"/index.php/api/login", "/(S(x))/api/login", "/_next/data/b1/api/login.json", "/api/login/__data.json", "//host/api/login", "///host/API/login", "/api/login::$DATA", "/api/log%C4%B1n", "/api/login%23", "/api/login%E2%80%8B",
}

// A limit is a guard, also where the rule that names it opens, and whichever rule
// decides: a spelling of the path leads around none.
func TestNoSpellingLeadsAroundALimit(t *testing.T) {
	t.Parallel()
	few := policy.StringList{"few"}
	login := policy.Rule{Name: "login", Match: paths("/api/login"), Access: policy.Public, Limits: few}
	below := policy.Rule{Name: "login", Match: paths("/api/login(.*)"), Access: policy.Public, Limits: few}
	assets := policy.Rule{Name: "assets", Match: policy.Match{Path: policy.StringList{"/static/(.*)"}, StaticFiles: true}, Access: policy.Bypass}
	site := policy.Rule{Name: "site", Match: paths("/(.*)"), Access: policy.Public}
	for name, c := range map[string]struct {
		config policy.Config
		who    *policy.Principal
		key    string
	}{
		"all else public by a rule":  {rules(login, site), nil, "ip"},
		"all else public by default": {rulesOrPublic(login), nil, "ip"},
		"a part public by a rule":    {rules(below, policy.Rule{Name: "api", Match: paths("/api/(.*)"), Access: policy.Public}, site), nil, "ip"},
		"all else for who is in":     {rules(login), member(), "ip"},
		"counted by user":            {rules(login, site), member(), "user"},
		"behind a bypass":            {rules(assets, login, site), nil, "ip"},
		"a guard":                    {rules(policy.Rule{Name: "login", Match: paths("/api/login"), Limits: few}, site), member(), "user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, first := range spellings {
				p := counting(t, c.config, c.who, c.key)
				if n := passed(t, p, "POST", slices.Repeat([]string{first}, 12)...); n > 5 {
					t.Errorf("%s: %d pass a limit of 5", first, n)
				}
			}
			r, p := rand.New(rand.NewPCG(11, 12)), counting(t, c.config, c.who, c.key)
			var mixed []string
			for range 200 {
				mixed = append(mixed, spellings[r.IntN(len(spellings))])
			}
			if n := passed(t, p, "POST", mixed...); n > 5 {
				t.Errorf("%d of all spellings pass a limit of 5", n)
			}
		})
	}
}

// One value of a path parameter has one count, however it is spelt.
func TestNoSpellingOfAParameterCountsAnew(t *testing.T) {
	t.Parallel()
	few := policy.StringList{"few"}
	for name, rule := range map[string]policy.Rule{
		"an open rule":  {Name: "orgs", Match: paths("/orgs/:slug"), Access: policy.Public, Limits: few},
		"a guard":       {Name: "orgs", Match: paths("/orgs/:slug"), Limits: few},
		"and all below": {Name: "orgs", Match: paths("/orgs/:slug(.*)"), Access: policy.Public, Limits: few},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := counting(t, rulesOrPublic(rule), member(), ":slug")
			targets := []string{"/orgs/acme", "/orgs/ACME", "/orgs/%61cme", "/orgs/acme/", "/orgs/acme.json", "/orgs/acme.xml", "/Orgs/Acme.JSON", "/orgs/acme/index.html", "/orgs/acm%65", "//orgs/acme",
				"/orgs/acme;x=1", "/orgs/acme.", "/orgs/%EF%BD%81cme", "/orgs/acme%20", "/orgs//acme", "/orgs/acm%E2%80%8Be", "/orgs/acme%3Fx"}
			if n := passed(t, p, "GET", slices.Repeat(targets, 3)...); n > 5 {
				t.Errorf("%d pass a limit of 5", n)
			}
			if n := passed(t, p, "GET", "/orgs/other"); n != 1 {
				t.Error("another value has no count of its own")
			}
		})
	}
}

// A header that is counted by counts once: a second field of another value, in
// whatever spelling of the name, is refused.
func TestAHeaderCountsOnce(t *testing.T) {
	t.Parallel()
	p := counting(t, rules(policy.Rule{Name: "a", Match: paths("/(.*)"), Access: policy.Public, Limits: policy.StringList{"few"}}), nil, "header:X-Api-Key")
	for name, c := range map[string]struct {
		headers []policy.Header
		reason  policy.Reason
	}{
		"two values":          {[]policy.Header{{Name: "X-Api-Key", Value: "a"}, {Name: "X-Api-Key", Value: "b"}}, policy.ReasonHeaderRepeated},
		"another spelling":    {[]policy.Header{{Name: "X-Api-Key", Value: "a"}, {Name: "x_api_key", Value: "b"}}, policy.ReasonHeaderRepeated},
		"one value twice":     {[]policy.Header{{Name: "X-Api-Key", Value: "a"}, {Name: "X.Api.Key", Value: " a "}}, policy.ReasonPublic},
		"only another":        {[]policy.Header{{Name: "X_Api_Key", Value: "a"}}, policy.ReasonPublic},
		"another of its size": {[]policy.Header{{Name: "X-Api-Kex", Value: "b"}, {Name: "X-Api-Key", Value: "a"}}, policy.ReasonPublic},
	} {
		if d := p.Decide(t.Context(), get("/", c.headers...)); d.Reason != c.reason {
			t.Errorf("%s: %s, want %s", name, d.Reason, c.reason)
		}
	}
	n := 0
	for _, name := range slices.Repeat([]string{"X-Api-Key", "x_api_key", "X.API.KEY"}, 4) {
		if d := p.Decide(t.Context(), get("/", policy.Header{Name: name, Value: "b"})); d.Allowed() {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d of one value pass a limit of 5", n)
	}
}
