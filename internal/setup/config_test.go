package setup

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

const publishableKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"

func TestTheWholeDocumentLoads(t *testing.T) {
	t.Setenv("CLERK_PUBLISHABLE_KEY", publishableKey)
	t.Setenv("CLERK_SECRET_KEY", "sk_live_0123456789abcdefghij0123456789abcdefghij01")
	config, findings, err := LoadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Limits["per-user"]; got.Limit != 10 || got.Window.Std() != 10*time.Second {
		t.Errorf("limit per-user is %+v", got)
	}
	if got := config.Rules[4].Require; got.Organization.Slug[0] != ":slug" || got.Permission[0] != "org:reports:read" {
		t.Errorf("requirement of rule tenant is %+v", got)
	}
	if config.Clerk.PublishableKey != publishableKey || config.Clerk.JWTKey != "" {
		t.Errorf("clerk section is not what the environment says")
	}
	if config.UpstreamToken.Template != "hasura" || !config.StripCredentials || config.Assertion.Audience[0] != "app" {
		t.Errorf("upstream words are %+v, %v, %+v", config.UpstreamToken, config.StripCredentials, config.Assertion)
	}
	if i := slices.IndexFunc(findings, func(f Finding) bool { return strings.Contains(f.String(), "/admin/:path*") }); i < 0 || !findings[i].Note {
		t.Errorf("no note that /admin(.*) meets its siblings: %v", findings)
	}
}

// The example is a policy that loads with only the keys filled in, and nothing in
// it is probably not meant.
func TestTheExampleForEnvoyLoads(t *testing.T) {
	t.Setenv("CLERK_PUBLISHABLE_KEY", publishableKey)
	t.Setenv("CLERK_SECRET_KEY", "sk_live_0123456789abcdefghij0123456789abcdefghij01")
	for _, name := range []string{"CLERK_WEBHOOK_SECRET", "REDIS_URL"} {
		t.Setenv(name, "")
	}
	config, findings, err := LoadFile("../../examples/envoy/clerkgate.yaml")
	if err != nil || len(findings) > 0 {
		t.Fatalf("%v, findings %v", err, findings)
	}
	if config.Redis.Enabled() || config.Clerk.WebhookSecret != "" || len(config.Rules) != 6 {
		t.Errorf("%d rules, redis %+v", len(config.Rules), config.Redis)
	}
}

func TestErrorsNameTheLineAndTheWayOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ document, want string }{
		"a misspelt key": {
			"clerk: {publishable_key: " + publishableKey + "}\nrules:\n  - name: a\n    match: {pth: /a}\n",
			`gate.yaml:4:13: rules[0].match: unknown key "pth" (did you mean "path"?)`,
		},
		"a glob": {
			"clerk: {publishable_key: " + publishableKey + "}\nrules:\n  - name: a\n    match: {path: [/a/*]}\n",
			"gate.yaml:4:20: rules[0].match.path[0]: bad pattern \"/a/*\"",
		},
		"a limit that is not there": {
			"clerk: {publishable_key: " + publishableKey + "}\nlimits: {per-user: {limit: 1, window: 1s, key: user}}\nrules:\n  - name: a\n    match: {path: /a}\n    limits: [per-usr]\n",
			`gate.yaml:6:14: rules[0].limits[0]: there is no limit "per-usr" (did you mean "per-user"?)`,
		},
		"a role of nothing": {
			"clerk: {publishable_key: " + publishableKey + "}\nrules:\n  - name: a\n    match: {path: /a}\n    require: {role: \"\"}\n",
			"gate.yaml:5:21: rules[0].require.role",
		},
		"a secret key in the wrong place": {
			"clerk: {publishable_key: sk_live_abc}\n",
			"gate.yaml:1:26: clerk.publishable_key",
		},
		"a sign-in page behind the gate": {
			"clerk:\n  publishable_key: " + publishableKey + "\n  sign_in_url: /sign-in\n",
			`gate.yaml:3:16: clerk.sign_in_url: the sign-in page /sign-in is itself protected, by default`,
		},
		"a redis that is no address": {
			"clerk: {publishable_key: " + publishableKey + "}\nredis: {url: localhost}\n",
			"gate.yaml:2:14: redis.url",
		},
		"two ways to reach redis": {
			"clerk: {publishable_key: " + publishableKey + "}\nredis: {url: redis://localhost, addresses: [\"localhost:1\"]}\n",
			"gate.yaml:2:44: redis.addresses",
		},
		"a short memory": {
			"clerk: {publishable_key: " + publishableKey + "}\nrevocation: {max_token_lifetime: 1s}\n",
			"gate.yaml:2:34: revocation.max_token_lifetime",
		},
		"an outage that lets everybody pass": {
			"clerk: {publishable_key: " + publishableKey + "}\nrevocation: {on_store_error: allow}\n",
			"gate.yaml:2:30: revocation.on_store_error",
		},
		"a webhook secret that is none": {
			"clerk: {publishable_key: " + publishableKey + ", webhook_secret: \"whsec_!\"}\n",
			"clerk.webhook_secret",
		},
		"trust in everybody": {
			"clerk: {publishable_key: " + publishableKey + "}\ntrusted_proxies: [0.0.0.0/0]\n",
			"gate.yaml:2:19: trusted_proxies[0]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Load("gate.yaml", []byte(c.document))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "sk_live_abc") {
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
}

func TestEverythingWrongIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := Load("gate.yaml", []byte("clerk: {publishable_key: nonsense}\nmode: shadw\nrules:\n  - name: a\n    match: {path: /*}\n"))
	for _, want := range []string{"clerk.publishable_key", `did you mean "shadow"?`, "rules[0].match.path[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func TestAGateDecidesAndStops(t *testing.T) {
	t.Parallel()
	_, gate := gateOf(t, "clerk: {publishable_key: "+publishableKey+"}\nrules:\n  - {name: home, match: {path: /}, access: public}\n")
	if gate.Ready() {
		t.Error("ready without keys")
	}
	for target, want := range map[string]policy.Reason{"/": policy.ReasonPublic, "/dashboard": policy.ReasonSessionMissing} {
		r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target}
		if d := gate.Policy.Decide(t.Context(), r); d.Reason != want {
			t.Errorf("%s: %s, want %s", target, d.Reason, want)
		}
	}
}

func TestFilesThatAreNotThereOrTooLarge(t *testing.T) {
	t.Parallel()
	if _, _, err := LoadFile(t.TempDir() + "/none.yaml"); err == nil {
		t.Error("a missing file loads")
	}
	large := t.TempDir() + "/large.yaml"
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadFile(large); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("got %v", err)
	}
}

// Whatever kind of application signs people in, its origin can be listed.
func TestOriginsOfApplicationsAreParties(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Live: true})
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "moz-extension://0b1c2d3e-0000-4000-8000-123456789abc", "safari-web-extension://0b1c2d3e",
		"capacitor://localhost", "ionic://localhost", "tauri://localhost", "com.example.app://callback", "https://*.example.net",
	} {
		config, _, err := Load("gate.yaml", []byte(`
clerk:
  publishable_key: `+clerk.PublishableKey()+`
  secret_key: `+clerk.SecretKey()+`
  api_url: `+clerk.URL()+`
  sign_in_url: /sign-in
  authorized_parties: [https://app.example.com, "`+origin+`"]
rules: [{name: sign-in, match: {path: /sign-in}, access: public}]
`))
		if err != nil {
			t.Errorf("%s: %v", origin, err)
			continue
		}
		gate, err := New(*config, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer gate.Close()
		ask := func(host, azp string) policy.Decision {
			token := clerk.Mint(session, clerktest.Token{Claims: map[string]any{"azp": azp}})
			return gate.Policy.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: host, Target: "/x", Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + token}}})
		}
		azp := strings.Replace(origin, "*.", "tenant.", 1)
		if d := ask("app.example.com", azp); !d.Allowed() {
			t.Errorf("%s: %s, %v", azp, d.Reason, d.Cause)
		}
		if d := ask("app.example.com", azp+"x"); d.Allowed() {
			t.Errorf("%sx is taken, too", azp)
		}
	}
}

// gateOf is the gate of a document, closed when the test ends.
func gateOf(t *testing.T, document string) (*Config, *Gate) {
	t.Helper()
	config, _, err := Load("gate.yaml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	gate, err := New(*config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	return config, gate
}
