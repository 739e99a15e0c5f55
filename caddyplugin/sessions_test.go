package caddyplugin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// backendAPI is the Backend API with one live session, which can be ended.
func backendAPI(t *testing.T, clerk *clerktest.Instance, s *clerktest.Session) (url string, ended *atomic.Bool) {
	t.Helper()
	ended = new(atomic.Bool)
	object := map[string]any{"object": "session", "id": s.ID, "user_id": s.User.ID, "status": "active",
		"latest_activity": map[string]any{"browser_name": "Chrome", "device_type": "Linux"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/jwks", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(clerk.JWKS()) })
	mux.HandleFunc("GET /v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		data := []any{}
		if r.FormValue("status") == "active" && r.FormValue("user_id") == s.User.ID {
			data = append(data, object)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "total_count": len(data)})
	})
	mux.HandleFunc("POST /v1/sessions/"+s.ID+"/revoke", func(w http.ResponseWriter, _ *http.Request) {
		ended.Store(true)
		fmt.Fprintf(w, `{"object":"session","id":%q,"user_id":%q,"status":"revoked"}`, s.ID, s.User.ID)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, ended
}

func TestSessionsAndFrontendAPIInsideCaddy(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{Live: true})
	s, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	api, ended := backendAPI(t, clerk, s)
	var forwarded http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded = r.Header
		fmt.Fprint(w, "clerk "+r.RequestURI)
	}))
	defer upstream.Close()
	site := startSite(t, fmt.Sprintf(`
	clerk_sessions {
		publishable_key %[1]s
		secret_key %[2]s
		api_url %[3]s
	}
	clerk_frontend_api {
		publishable_key %[1]s
		secret_key %[2]s
		proxy_url https://app.example.com/__clerk
		upstream %[4]s
	}
	rewrite * /rewritten{uri}
	respond "site {uri}"
`, clerk.PublishableKey(), clerk.SecretKey(), api, upstream.URL))
	cookie := "Cookie: __client_uat=1; __session=" + clerk.Mint(s, clerktest.Token{}) + "\r\n"
	for _, c := range []struct {
		name, target, headers string
		status                int
		body                  string
	}{
		{"the page", "/__clerkgate/sessions", cookie + "Accept: text/html\r\n", 200, "Chrome on Linux"},
		{"the list", "/__clerkgate/sessions", cookie, 200, s.ID},
		{"nobody's list", "/__clerkgate/sessions", "", 401, "session-token-and-uat-missing"},
		{"no route of the page", "/__clerkgate/sessions/x", cookie, 404, "not-found"},
		{"a neighbour of the page", "/__clerkgate/sessionsx", cookie, 200, "site /rewritten/__clerkgate/sessionsx"},
		{"the page in another spelling", "/__clerkgate/%73essions", cookie, 200, "site /rewritten"},
		{"the Frontend API", "/__clerk/v1/client?a=b", "X-Forwarded-For: 6.6.6.6\r\nClerk-Secret-Key: forged\r\n", 200, "clerk /v1/client?a=b"},
		{"another host", "/__clerk//evil.example/", "", 400, "proxy_path_mismatch"},
		{"a neighbour of the Frontend API", "/__clerkx", "", 200, "site /rewritten/__clerkx"},
	} {
		response, body := site.get(c.target, c.headers)
		if response.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %s", c.name, response.StatusCode, body)
		}
	}
	if forwarded.Get("X-Forwarded-For") != "127.0.0.1" || forwarded.Get("Clerk-Secret-Key") != clerk.SecretKey() {
		t.Errorf("the Frontend API saw %v", forwarded)
	}
	post := func(fields string) *http.Response {
		response, _ := site.send("POST /__clerkgate/sessions/sign-out HTTP/1.1\r\nHost: " + site.address + "\r\nContent-Length: 0\r\nConnection: close\r\nAccept: text/html\r\n" + cookie + fields + "\r\n")
		return response
	}
	if response := post("Origin: https://evil.example\r\n"); response.StatusCode != 403 || ended.Load() {
		t.Errorf("another site signs people out: %d", response.StatusCode)
	}
	response := post("Origin: http://" + site.address + "\r\n")
	if response.StatusCode != 303 || response.Header.Get("Location") != "/__clerkgate/sessions/signed-out" || !ended.Load() || len(response.Header["Set-Cookie"]) != 7 { // the marker of clerk_sessions among them
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}

func TestSessionsAndFrontendAPISayWhatTheyLack(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{})
	key := fmt.Sprintf(`"publishable_key": %q`, clerk.PublishableKey())
	for _, c := range []struct {
		module caddy.Provisioner
		config string
		want   string
	}{
		{new(Sessions), `{}`, "publishable_key"},
		{new(Sessions), `{"clerk": {` + key + `}}`, "secret_key"},
		{new(Sessions), `{"prefix": "{env.NO_SUCH_VARIABLE}", "clerk": {` + key + `, "secret_key": "sk_test_x"}}`, "NO_SUCH_VARIABLE"},
		{new(Sessions), `{"prefix": "/a b", "clerk": {` + key + `, "secret_key": "sk_test_x"}}`, "prefix"},
		{new(FrontendAPI), `{"clerk": {` + key + `}}`, "proxy_url"},
		{new(FrontendAPI), `{"upstream": "http://example.com", "clerk": {` + key + `, "secret_key": "sk_test_x", "proxy_url": "https://app.example.com/__clerk"}}`, "not https"},
	} {
		if err := caddy.StrictUnmarshalJSON([]byte(c.config), c.module); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		err := c.module.Provision(ctx)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sk_test_x") {
			t.Errorf("%s: %v", c.config, err)
		}
		if cleaner, ok := c.module.(caddy.CleanerUpper); ok {
			if err := cleaner.Cleanup(); err != nil {
				t.Error(err)
			}
		}
		cancel()
	}
}

// What one handler leaves out comes from the app, as for clerk_auth.
func TestSessionsShareTheAuthenticatorOfTheGate(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{})
	text := fmt.Sprintf(`{"clerk": {"publishable_key": %q, "secret_key": %q, "api_url": %q}}`, clerk.PublishableKey(), clerk.SecretKey(), clerk.URL())
	gate, err := provisioned(t, text)
	if err != nil {
		t.Fatal(err)
	}
	page := new(Sessions)
	if err := caddy.StrictUnmarshalJSON([]byte(text), page); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := page.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if n := shared.Users(gate.gate.Session); n != 2 {
		t.Errorf("the authenticator has %d users, want 2", n)
	}
	for _, m := range []caddy.CleanerUpper{gate, page} {
		if err := m.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if n := shared.Users(gate.gate.Session); n != 0 {
		t.Errorf("the authenticator is left over with %d users", n)
	}
}
