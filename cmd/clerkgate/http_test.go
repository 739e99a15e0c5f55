package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// instanceDocument writes a document for an instance, with a Backend API that
// lists one session.
func instanceDocument(t *testing.T, rest string) (path string, clerk *clerktest.Instance, s *clerktest.Session) {
	t.Helper()
	clerk = clerktest.Start(t, clerktest.Options{Live: true, Origins: []string{"https://app.example.com"}})
	s, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	backend := http.NewServeMux()
	backend.HandleFunc("GET /v1/jwks", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(clerk.JWKS()) })
	backend.HandleFunc("GET /v1/sessions", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"data":[{"id":%q,"user_id":%q,"status":"active"}],"total_count":1}`, s.ID, s.User.ID)
	})
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	path = filepath.Join(t.TempDir(), "clerkgate.yaml")
	write(t, path, fmt.Sprintf("clerk:\n  publishable_key: %s\n  secret_key: %s\n  api_url: %s\n  sign_in_url: https://accounts.example.com/sign-in\n  authorized_parties: https://app.example.com\n%s",
		clerk.PublishableKey(), clerk.SecretKey(), server.URL, rest))
	return path, clerk, s
}

// Envoy sends these paths here, with what it knows of the client in fields that
// count where it is trusted.
func TestHTTPServesTheSessionPageAndTheFrontendAPI(t *testing.T) {
	var forwarded http.Header
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded = r.Header
		fmt.Fprint(w, "clerk "+r.RequestURI)
	}))
	defer upstream.Close()
	path, clerk, s := instanceDocument(t, "  proxy_url: https://app.example.com/__clerk\ntrusted_proxies: 127.0.0.1\n")
	logger := (&serveOptions{}).logger()
	gate, err := (&serveOptions{config: path, http: "127.0.0.1:0", frontend: upstream.URL}).open(newRegistry(), logger)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	pages, err := startPages(t.Context(), "127.0.0.1:0", gate, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer pages.close()
	ask := func(target, accept string, cookie bool) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+pages.address()+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.example.com"
		r.Header.Set("Accept", accept)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", "6.6.6.6, 203.0.113.9")
		if cookie {
			r.Header.Set("Cookie", "__client_uat=1; __session="+clerk.Mint(s, clerktest.Token{}))
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	for _, c := range []struct {
		target, accept string
		cookie         bool
		status         int
		body           string
	}{
		{"/__clerkgate/sessions", "application/json", true, 200, s.ID},
		{"/__clerkgate/sessions", "text/html", true, 200, "This device"},
		{"/__clerkgate/sessions", "application/json", false, 401, "session-token-and-uat-missing"},
		{"/__clerk/v1/client", "*/*", false, 200, "clerk /v1/client"},
		{"/__clerk/%2e%2e/x", "*/*", false, 400, "proxy_path_mismatch"},
		{"/", "*/*", true, 404, ""},
	} {
		if response, body := ask(c.target, c.accept, c.cookie); response.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %s", c.target, response.StatusCode, body)
		}
	}
	if forwarded.Get("X-Forwarded-For") != "203.0.113.9" || forwarded.Get("Clerk-Secret-Key") != clerk.SecretKey() {
		t.Errorf("the Frontend API saw %v", forwarded)
	}
	response, _ := ask("/__clerkgate/sessions", "text/html", false)
	if to := response.Header.Get("Location"); response.StatusCode != 307 || !strings.Contains(to, "redirect_url=https%3A%2F%2Fapp.example.com%2F__clerkgate") {
		t.Errorf("a browser is sent to %q, %d", to, response.StatusCode)
	}
}

func TestHTTPNeedsTheSecretKey(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	path := document(t, "")
	o := &serveOptions{config: path, grpc: "unix:" + filepath.Join(t.TempDir(), "grpc.sock"), http: "127.0.0.1:0", timeout: time.Second}
	if err := serve(ctx, o); err == nil || !strings.Contains(err.Error(), "secret_key") {
		t.Errorf("got %v", err)
	}
}
