package caddyplugin

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
)

// adapt turns a Caddyfile into Caddy's JSON.
func adapt(text string) (string, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return string(config), err
}

const testKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"

// site is a Caddyfile with one clerk_auth.
func site(lines string) string {
	return "app.example.com {\n\tclerk_auth {\n\t\tpublishable_key " + testKey + "\n" + lines + "\n\t}\n\treverse_proxy localhost:3000\n}\n"
}

func TestTheCaddyfileSaysWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lines, want string }{
		"public paths":      {"public / /sign-in(.*)", `"rules":[{"access":"public","match":{"path":["/","/sign-in(.*)"]},"name":"public"}]`},
		"static files":      {"bypass static_files", `"access":"bypass","match":{"static_files":true}`},
		"a limit":           {"limit per-user 10 per 10s by user\nrule api {\npath /api/:path*\nlimits per-user\n}", `"limits":{"per-user":{"key":"user","limit":10,"window":"10s"}}`},
		"a role":            {"rule a {\npath /a\nrole org:admin org:owner\n}", `"require":{"role":["org:admin","org:owner"]}`},
		"a redirect":        {"rule a {\npath /a\nrole org:admin\non_forbidden redirect /no\n}", `"on_forbidden":{"redirect":"/no"}`},
		"a status":          {"rule a {\npath /a\nrole org:admin\non_forbidden status 404\n}", `"on_forbidden":{"status":404}`},
		"freshness":         {"rule a {\npath /a\nmax_token_age 1h\nreverification strict\n}", `"freshness":{"max_token_age":"1h0m0s","reverification":"strict"}`},
		"an organization":   {"rule a {\npath /orgs/:slug/:path*\norganization slug :slug\n}", `"organization":{"slug":":slug"}`},
		"an expression":     {"rule a {\npath /a\nexpression `claims.x == 1`\n}", `"expression":"claims.x == 1"`},
		"hosts and methods": {"rule a {\nhost *.example.com\nmethod GET POST\npath /a\n}", `"host":"*.example.com","method":["GET","POST"]`},
		"identity headers":  {"identity_header X-Email claims.email", `"identity_headers":{"X-Email":"claims.email"}`},
		"shadow mode":       {"mode shadow", `"mode":"shadow"`},
		"a default":         {"default deny", `"default":{"access":"deny"}`},
	} {
		got, err := adapt(site(c.lines))
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v\n%s\nlacks %s", name, err, got, c.want)
		}
	}
}

func TestTheCaddyfileNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lines, want string }{
		"an unknown word":     {"publik /", `did you mean "public"?, at Caddyfile:4`},
		"an unknown rule":     {"rule a {\npath /a\nrol org:admin\n}", `did you mean "role"?, at Caddyfile:6`},
		"a glob":              {"public /a/*", `a bare * is not a wildcard`},
		"a repeated word":     {"mode shadow\nmode enforce", "mode"},
		"a limit nobody made": {"rule a {\npath /a\nlimits per-usr\n}", `per-usr`},
	} {
		_, err := adapt(site(c.lines))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// The example works as it stands, with keys filled in, and is formatted.
func TestTheExampleIsValidAndFormatted(t *testing.T) {
	text, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if formatted := caddyfile.Format(text); string(formatted) != string(text) {
		t.Errorf("caddy fmt would make it\n%s", formatted)
	}
	t.Setenv("CLERK_PUBLISHABLE_KEY", testKey)
	t.Setenv("CLERK_SECRET_KEY", "sk_live_abcdefghijklmnopqrstuvwxyz0123456789ABCDEF")
	config, err := adapt(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := json.Unmarshal([]byte(config), &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Error(err)
	}
}

// A reload keeps what the limits have counted, and verified keys.
func TestAReloadKeepsTheCounts(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer app.Close()
	dir := t.TempDir()
	port := freePort(t)
	load := func(comment string) {
		t.Helper()
		config, err := adapt("{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n\tstorage file_system " + dir + "\n}\nhttp://localhost:" + port + " {\n\theader X-Config " + comment +
			"\n\tclerk_auth {\n\t\tpublishable_key " + testKey + "\n\t\tlimit few 3 per 1h by ip\n\t\trule all {\n\t\t\tpath /:path*\n\t\t\taccess public\n\t\t\tlimits few\n\t\t}\n\t}\n\treverse_proxy " + app.Listener.Addr().String() + "\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Load([]byte(config), true); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() (status int, config string) {
		t.Helper()
		response, err := http.Get("http://localhost:" + port + "/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode, response.Header.Get("X-Config")
	}
	load("first")
	defer caddy.Stop()
	for range 3 {
		if status, _ := ask(); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
	}
	load("second")
	if status, config := ask(); status != http.StatusTooManyRequests || config != "second" {
		t.Errorf("after the reload: %d under config %q", status, config)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
