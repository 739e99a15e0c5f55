package caddyplugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// provisioned is a handler as Caddy makes it of JSON, and the error of
// Provision.
func provisioned(t *testing.T, text string) (*Handler, error) {
	t.Helper()
	h := new(Handler)
	if err := caddy.StrictUnmarshalJSON([]byte(text), h); err != nil {
		t.Fatal(err)
	}
	return h, h.Provision(contextOf(t))
}

// contextOf is a configuration's context, which ends with the test.
func contextOf(t *testing.T) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return ctx
}

// instanceJSON is a clerk section for an instance of its own.
func instanceJSON(t *testing.T) string {
	t.Helper()
	clerk := clerktest.Start(t, clerktest.Options{})
	text, err := json.Marshal(session.Config{PublishableKey: clerk.PublishableKey(), SecretKey: clerk.SecretKey(), APIURL: clerk.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Caddy provisions the new configuration before it cleans up the old one. What
// both use goes on as it was; what nobody uses any more ends.
func TestAReloadKeepsKeysTokensAndCounts(t *testing.T) {
	t.Parallel()
	text := `{"clerk": ` + instanceJSON(t) + `, "default": {"access": "public"}}`
	before, err := provisioned(t, text)
	if err != nil {
		t.Fatal(err)
	}
	after, err := provisioned(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if before.gate.Session != after.gate.Session || before.gate.Upstream != after.gate.Upstream || before.gate.Stores != after.gate.Stores {
		t.Error("the two took different things")
	}
	for _, step := range []struct {
		name   string
		clean  *Handler
		remain int
	}{{"the old configuration ends", before, 1}, {"it is cleaned up again", before, 1}, {"the new configuration ends", after, 0}} {
		if err := step.clean.Cleanup(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if n := shared.Users(before.gate.Session); n != step.remain {
			t.Errorf("%s: the authenticator has %d users, want %d", step.name, n, step.remain)
		}
	}
}

// Caddy cleans up after a failed Provision too. A configuration that is rejected
// must not take anything from the one that runs.
func TestARejectedReloadLeavesTheRunningOneAlone(t *testing.T) {
	t.Parallel()
	clerk := instanceJSON(t)
	running, err := provisioned(t, `{"clerk": `+clerk+`}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{
		`{"clerk": ` + clerk + `, "mode": "watch"}`,
		`{"clerk": {"publishable_key": "pk_test_nonsense"}}`,
		`{"file": "no-such-file.yaml"}`,
		`{"clerk": {"publishable_key": "{env.NO_SUCH_VARIABLE}"}}`,
	} {
		rejected, err := provisioned(t, broken)
		if err == nil {
			t.Errorf("%s is not rejected", broken)
		}
		if err := rejected.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if n := shared.Users(running.gate.Session); n != 1 {
		t.Errorf("the running authenticator has %d users, want 1", n)
	}
	if err := running.Cleanup(); err != nil {
		t.Error(err)
	}
}

func TestHandlersInheritWhatTheyDoNotSay(t *testing.T) {
	t.Parallel()
	app := &App{
		Clerk: session.Config{PublishableKey: "pk_shared", SecretKey: "sk_shared", SignInURL: "/sign-in"},
		Redis: setup.Redis{Config: redisclient.Config{URL: "redis://shared"}},
	}
	for name, c := range map[string]struct{ own, want setup.Config }{
		"everything": {setup.Config{}, setup.Config{Clerk: app.Clerk, Redis: app.Redis}},
		"the rest": {
			setup.Config{Clerk: session.Config{SignInURL: "/login"}, Redis: setup.Redis{Config: redisclient.Config{URL: "redis://own"}}},
			setup.Config{Clerk: session.Config{PublishableKey: "pk_shared", SecretKey: "sk_shared", SignInURL: "/login"}, Redis: setup.Redis{Config: redisclient.Config{URL: "redis://own"}}},
		},
		"no keys of another instance": {
			setup.Config{Clerk: session.Config{PublishableKey: "pk_own"}},
			setup.Config{Clerk: session.Config{PublishableKey: "pk_own"}, Redis: app.Redis},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inherit(&c.own, app)
			if diff := cmp.Diff(c.want, c.own); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceholdersAreReplacedInValues(t *testing.T) {
	t.Setenv("CLERKGATE_TEST_KEY", "pk_of_the_environment")
	t.Setenv("CLERKGATE_TEST_ROLE", "org:admin")
	t.Setenv("CLERKGATE_TEST_EMPTY", "")
	config := setup.Config{
		Clerk: session.Config{PublishableKey: "{env.CLERKGATE_TEST_KEY}"},
		Config: policy.Config{Rules: []policy.Rule{{
			Name:    "admin",
			Match:   policy.Match{Path: policy.StringList{`/a{/:b}?/(\d{3})`}},
			Require: &policy.Requirement{Role: policy.StringList{"{env.CLERKGATE_TEST_ROLE}"}, Claims: map[string]any{"a": true}},
		}}},
	}
	got, err := expand(config)
	if err != nil {
		t.Fatal(err)
	}
	want := config
	want.Clerk.PublishableKey = "pk_of_the_environment"
	want.Rules = []policy.Rule{{
		Name:    "admin",
		Match:   config.Rules[0].Match,
		Require: &policy.Requirement{Role: policy.StringList{"org:admin"}, Claims: map[string]any{"a": true}},
	}}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	for _, value := range []string{"{env.CLERKGATE_TEST_EMPTY}", "{env.CLERKGATE_NO_SUCH_VARIABLE}", "{file./no/such/file}"} {
		config.Clerk.SecretKey = value
		if _, err := expand(config); err == nil || !strings.Contains(err.Error(), "clerk.secret_key") {
			t.Errorf("%s: error %v, want one that names clerk.secret_key", value, err)
		}
	}
}

// Whoever writes JSON reads where in it something is wrong; what is said of a
// Caddyfile is in the adapt tests.
func TestWhatIsWrongInJSONIsSaidByItsPath(t *testing.T) {
	t.Parallel()
	_, err := provisioned(t, `{"clerk": {}, "mode": "watch", "limits": {"per.user": {"limit": 0, "window": "1s", "key": "user"}},
		"rules": [{"name": "admin", "match": {"path": "/admin("}, "require": {"claims": {"a": {"b": 1}}}}]}`)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"clerk.publishable_key: there is no", "mode: unknown", "limits.per.user.limit: 0", "rules[0].match.path[0]: bad pattern", "rules[0].require.claims: claim"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), ", at ") {
		t.Errorf("error names a place where there is none:\n%v", err)
	}
}

// A document, the same in JSON and the same in a Caddyfile are one policy.
func TestAllThreeFormsDecideAlike(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{})
	keys := strings.NewReplacer("PK", clerk.PublishableKey(), "SK", clerk.SecretKey(), "API", clerk.URL())
	document := keys.Replace(`
clerk: { publishable_key: PK, secret_key: SK, api_url: API, sign_in_url: /sign-in }
limits:
  per-ip: { limit: 1000, window: 1h, key: ip }
rules:
  - { name: bypass, match: { static_files: true }, access: bypass }
  - { name: public, match: { path: [/, "/sign-in(.*)"] }, access: public }
  - name: admin
    match: { path: "/admin(.*)", method: [GET, HEAD] }
    require: { role: org:admin, any: [{ plan: pro }, { feature: beta }] }
    on_forbidden: { status: 404 }
  - { name: deny, match: { path: "/internal(.*)" }, access: deny }
  - { name: api, match: { path: "/api/(.*)" }, freshness: { max_token_age: 1h }, limits: per-ip }
`)
	file := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	fromCaddyfile := handlerJSON(t, keys.Replace(`:80 {
	clerk_auth {
		publishable_key PK
		secret_key SK
		api_url API
		sign_in_url /sign-in
		limit per-ip 1000 per 1h by ip
		bypass static_files
		public / /sign-in(.*)
		rule admin {
			path /admin(.*)
			method GET HEAD
			role org:admin
			any {
				plan pro
				feature beta
			}
			on_forbidden status 404
		}
		deny /internal(.*)
		rule api {
			path /api/(.*)
			max_token_age 1h
			limits per-ip
		}
	}
}
`))
	forms := map[string]*Handler{}
	for name, text := range map[string]string{"file": `{"file": "` + file + `"}`, "Caddyfile": fromCaddyfile} {
		h, err := provisioned(t, text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() {
			if err := h.Cleanup(); err != nil {
				t.Error(err)
			}
		})
		forms[name] = h
	}
	loaded, _, err := setup.LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*loaded, forms["Caddyfile"].Config); diff != "" {
		t.Errorf("the document and the Caddyfile say different things (-document +Caddyfile):\n%s", diff)
	}
	if file, caddyfile := forms["file"].gate, forms["Caddyfile"].gate; file.Session != caddyfile.Session || file.Stores != caddyfile.Stores {
		t.Error("they do not share keys and counts")
	}
	for target, want := range map[string]string{
		"/": "public", "/logo.png": "bypass", "/admin": "admin", "/internal/x": "deny", "/api/x": "api", "/other": "default", "/a/%2e%2e": "",
	} {
		for name, h := range forms {
			if o := serve(h, get(t, target)); o.placeholder("http.clerk.rule") != want {
				t.Errorf("%s by %s: rule %q, want %q", target, name, o.placeholder("http.clerk.rule"), want)
			}
		}
	}
}

// handlerJSON is the JSON of the only clerk_auth of a Caddyfile.
func handlerJSON(t *testing.T, caddyfile string) string {
	t.Helper()
	var config struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Routes []struct{ Handle []json.RawMessage }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(adapted(t, caddyfile)), &config); err != nil {
		t.Fatal(err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(config.Apps.HTTP.Servers["srv0"].Routes[0].Handle[0], &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "handler")
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
