package caddyplugin

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

func TestMatcherAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	preflight := "OPTIONS /public HTTP/1.1\r\nHost: app.example.com\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n"
	const ordinary = "GET /public HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
	for name, c := range map[string]struct {
		matcher, request string
		who              policy.Authenticator
		want             bool
	}{
		"the role they have":            {"clerk role org:admin", ordinary, as("org:admin"), true},
		"a role they lack":              {"clerk role org:admin", ordinary, as("org:member"), false},
		"one of several roles":          {"clerk role org:owner org:admin", ordinary, as("org:admin"), true},
		"nobody has no role":            {"clerk role org:admin", ordinary, nobody, false},
		"nobody is not a non-guest":     {"clerk not role org:guest", ordinary, nobody, false},
		"somebody is not a guest":       {"clerk not role org:guest", ordinary, as("org:admin"), true},
		"a claim":                       {"clerk claim o.rol admin", ordinary, as("org:admin"), true},
		"all that is written":           {"clerk {\nuser user_1\nrole org:owner\n}", ordinary, as("org:admin"), false},
		"no clerk_auth came before":     {"clerk role org:admin", ordinary, nil, false},
		"a preflight is judged as well": {"clerk role org:admin", preflight, as("org:member"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m Matcher
			if err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.matcher)); err != nil {
				t.Fatal(err)
			}
			if err := m.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			r := received(t, c.request)
			if c.who != nil {
				config := testRules
				config.Preflight = "judge" // else nobody is asked who makes one
				serve(newHandler(t, config, c.who), r)
			}
			if got, err := m.MatchWithError(r); got != c.want || err != nil {
				t.Errorf("matches: %t, %v; want %t", got, err, c.want)
			}
		})
	}
}

func TestMatcherRefusesWhatAsksForNothing(t *testing.T) {
	t.Parallel()
	for name, require := range map[string]policy.Requirement{
		"nothing":          {},
		"a path parameter": {User: policy.StringList{":id"}},
		"a bad expression": {Expression: "principal."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := (&Matcher{Requirement: require}).Provision(caddy.Context{}); err == nil {
				t.Error("no error")
			}
		})
	}
}
