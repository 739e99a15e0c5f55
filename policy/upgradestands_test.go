package policy_test

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// A proxy that has taken a request for a change of protocol goes on with it when the
// fields that say so are removed: it would pass on whatever follows, unread.
func TestAnUpgradeThatStandsIsAWebSocketOrRefused(t *testing.T) {
	t.Parallel()
	config := rules(
		policy.Rule{Name: "assets", Match: policy.Match{StaticFiles: true}, Access: policy.Bypass},
		policy.Rule{Name: "public", Match: paths("/public(.*)"), Access: policy.Public},
		policy.Rule{Name: "watched", Match: paths("/watched(.*)"), Require: requireRole("org:admin"), Mode: policy.Shadow},
	)
	enforced := as(nil).policy(t, config)
	config.Mode = policy.Shadow
	watching := as(nil).policy(t, config)
	for name, c := range map[string]struct {
		method  string
		headers []policy.Header
		opens   bool
	}{
		"a WebSocket":          {"GET", []policy.Header{{Name: "Upgrade", Value: "WebSocket"}}, true},
		"without a body":       {"GET", []policy.Header{{Name: "upgrade", Value: "websocket"}, {Name: "content-length", Value: "0"}}, true},
		"by POST":              {"POST", []policy.Header{{Name: "Upgrade", Value: "websocket"}}, false},
		"with a length":        {"GET", []policy.Header{{Name: "Upgrade", Value: "websocket"}, {Name: "Content-Length", Value: "7"}}, false},
		"with chunks":          {"GET", []policy.Header{{Name: "Upgrade", Value: "websocket"}, {Name: "Transfer-Encoding", Value: "chunked"}}, false},
		"another protocol":     {"GET", []policy.Header{{Name: "Upgrade", Value: "spdy/3.1"}}, false},
		"two in one":           {"GET", []policy.Header{{Name: "Upgrade", Value: "websocket, h2c"}}, false},
		"two":                  {"GET", []policy.Header{{Name: "Upgrade", Value: "websocket"}, {Name: "UPGRADE", Value: "websocket"}}, false},
		"as a preflight":       {"OPTIONS", []policy.Header{{Name: "Upgrade", Value: "websocket"}, {Name: "Origin", Value: "https://e.example"}, {Name: "Access-Control-Request-Method", Value: "GET"}}, false},
		"before a broken name": {"GET", []policy.Header{{Name: "a b", Value: ""}, {Name: "Upgrade", Value: "h2c"}}, false},
	} {
		for _, p := range []*policy.Policy{enforced, watching} {
			for _, target := range []string{"/public", "/a.css", "/watched", "/x", "/x/%"} {
				r := get(target)
				r.Method, r.UpgradeStands = c.method, true
				r.Headers = append(r.Headers, c.headers...)
				if d := p.Decide(t.Context(), r); d.Allowed() && (!c.opens || target == "/x/%") {
					t.Errorf("%s, %s: passes as %s", name, target, d.Rule)
				} else if c.opens && target == "/public" && !d.Allowed() {
					t.Errorf("%s, %s: refused: %s", name, target, d.Reason)
				}
			}
		}
	}
}
