package policy_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// spelt writes a method with some of its letters in the other case.
func spelt(r *rand.Rand, method string) string {
	return strings.Map(func(c rune) rune {
		if r.IntN(2) == 0 {
			return c ^ ' ' // of a letter
		}
		return c
	}, method)
}

// However a method is spelt, what its guard wants is wanted, what it costs is
// counted, and an expression that excludes it holds.
func TestMethodsGuardInEveryCase(t *testing.T) {
	t.Parallel()
	config := rulesOrPublic(
		policy.Rule{Name: "write", Match: policy.Match{Path: policy.StringList{"/posts(.*)"}, Method: policy.StringList{"GET", "POST", "PROPFIND", "PURGE"}}, Require: requireRole("org:admin")},
		policy.Rule{Name: "read", Match: paths("/data(.*)"), Require: &policy.Requirement{Expression: `!(request.method in ["DELETE", "QUERY"])`}},
	)
	p := as(member()).policy(t, config)
	r := rand.New(rand.NewPCG(7, 8))
	for range iterations(2_000) {
		request := get("/posts/1")
		if request.Method = spelt(r, []string{"GET", "HEAD", "POST", "PROPFIND", "PURGE"}[r.IntN(5)]); r.IntN(2) == 0 {
			request.Method, request.Target = spelt(r, []string{"DELETE", "QUERY"}[r.IntN(2)]), "/data"
		}
		if d := p.Decide(t.Context(), request); d.Allowed() {
			t.Fatalf("%s %s passes as %s", request.Method, request.Target, d.Rule)
		}
	}
}

func TestHeadCostsWhatGetDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cost   policy.Cost
		method string
		want   int
	}{
		{policy.Cost{"GET": 3}, "HEAD", 3},
		{policy.Cost{"GET": 3, "any": 2}, "HEAD", 3},
		{policy.Cost{"GET": 3, "HEAD": 2}, "HEAD", 2},
		{policy.Cost{"POST": 3, "any": 2}, "HEAD", 2},
		{policy.Cost{"POST": 3}, "HEAD", 1},
	} {
		config := rulesOrPublic(policy.Rule{Name: "a", Match: paths("/x"), Access: policy.Public, Limits: policy.StringList{"l"}})
		config.Limits = map[string]policy.Limit{"l": {Limit: 5, Window: policy.Duration(time.Minute), Key: policy.StringList{"ip"}, Cost: c.cost}}
		counted := &asked{}
		p, err := policy.New(config, policy.Deps{Authenticator: as(nil), Limiter: counted, Now: func() time.Time { return instant }})
		if err != nil {
			t.Fatal(err)
		}
		r := get("/x")
		r.Method = c.method
		p.Decide(t.Context(), r)
		if counted.check.Cost != c.want {
			t.Errorf("%v: %s costs %d, want %d", c.cost, c.method, counted.check.Cost, c.want)
		}
	}
}

// Whatever passes, and why ever, opens a WebSocket or nothing.
func TestOnlyWebSocketsAreOpened(t *testing.T) {
	t.Parallel()
	config := rules(
		policy.Rule{Name: "assets", Match: policy.Match{StaticFiles: true}, Access: policy.Bypass},
		policy.Rule{Name: "public", Match: paths("/public(.*)"), Access: policy.Public},
		policy.Rule{Name: "watched", Match: paths("/watched(.*)"), Require: requireRole("org:admin"), Mode: policy.Shadow},
	)
	enforced := as(member()).policy(t, config)
	config.Mode = policy.Shadow
	watching := as(nil).policy(t, config)
	r := rand.New(rand.NewPCG(9, 10))
	seen := map[policy.Reason]bool{}
	for range iterations(5_000) {
		request := get([]string{"/public", "/a.css", "/watched", "/x", "/x/%"}[r.IntN(5)])
		request.Method = []string{"GET", "POST", "OPTIONS", "HEAD"}[r.IntN(4)]
		var upgrades []string
		for range r.IntN(4) {
			name := []string{"Upgrade", "upgrade", "UPGRADE"}[r.IntN(3)]
			upgrades = append(upgrades, []string{"websocket", "WebSocket", "h2c", "TLS/1.0", "websocket, h2c", "h2c,websocket", "", "websocket "}[r.IntN(8)])
			request.Headers = append(request.Headers, policy.Header{Name: name, Value: upgrades[len(upgrades)-1]})
		}
		request.Headers = append(request.Headers,
			policy.Header{Name: []string{"HTTP2-Settings", "http2_settings", "HTTP2.Settings"}[r.IntN(3)], Value: "AAMAAABkAAQAAP__"},
			policy.Header{Name: "Connection", Value: []string{"Upgrade", "Upgrade, HTTP2-Settings", "keep-alive"}[r.IntN(3)]},
			policy.Header{Name: "Origin", Value: "https://e.example"}, policy.Header{Name: "Access-Control-Request-Method", Value: "POST"})
		p := []*policy.Policy{enforced, watching}[r.IntN(2)]
		d := p.Decide(t.Context(), request)
		if seen[d.Reason] = true; !d.Allowed() {
			continue
		}
		for name, values := range edited(request.Headers, &d) {
			if strings.HasPrefix(strings.ToLower(name), "http2") {
				t.Fatalf("%s reaches the upstream", name)
			}
			if !strings.EqualFold(name, "Upgrade") {
				continue
			}
			if request.Method != "GET" || len(upgrades) != 1 || !slices.Equal(values, upgrades) || !strings.EqualFold(values[0], "websocket") {
				t.Fatalf("%s %s: Upgrade %q reaches the upstream of %q (%s)", request.Method, request.Target, values, upgrades, d.Reason)
			}
		}
	}
	for _, reason := range []policy.Reason{policy.ReasonAllowed, policy.ReasonPublic, policy.ReasonBypass, policy.ReasonPreflight, policy.ReasonShadow} {
		if !seen[reason] {
			t.Errorf("no request passed as %s", reason)
		}
	}
}
