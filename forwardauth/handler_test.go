package forwardauth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/policy"
)

// decide decides by a function.
type decide func(*policy.Request) policy.Decision

func (f decide) Decide(_ context.Context, r *policy.Request) policy.Decision { return f(r) }

// fixed decides the same about every request, and keeps the last.
func fixed(d policy.Decision, asked *[]*policy.Request) decide {
	return func(r *policy.Request) policy.Decision {
		if asked != nil {
			*asked = append(*asked, r)
		}
		return d
	}
}

var dialects = []string{"nginx", "traefik", "haproxy", "haproxy/script", "caddy", "envoy"}

// told is a check of a dialect about GET https://app.example.com/a%20b?x=1 of the client
// 198.51.100.7.
func told(dialect string) *http.Request {
	r := httptest.NewRequest("GET", "/forward-auth/"+dialect, nil)
	switch dialect {
	case "nginx":
		r.Header.Set("X-Original-Method", "GET")
		r.Header.Set("X-Original-URL", "https://app.example.com/a%20b?x=1")
		r.Header.Set("X-Real-IP", "198.51.100.7")
	case "envoy":
		r = httptest.NewRequest("GET", "/forward-auth/envoy/a%20b?x=1", nil)
		r.Host = "app.example.com"
	default:
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-Host", "app.example.com")
		r.Header.Set("X-Forwarded-Uri", "/a%20b?x=1")
	}
	if dialect != "nginx" {
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
	}
	r.RemoteAddr = "10.0.0.2:40000"
	return r
}

// newHandler answers the proxies of 10.0.0.0/24.
func newHandler(tb testing.TB, d forwardauth.Decider) *forwardauth.Handler {
	tb.Helper()
	h, err := forwardauth.New(d, forwardauth.Options{Trusts: netip.MustParsePrefix("10.0.0.0/24").Contains})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// ask sends a check.
func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// status is what the client is told: nginx is told so in a field.
func status(w *httptest.ResponseRecorder) int {
	if text := w.Header().Get("X-Clerkgate-Status"); text != "" {
		n := 0
		for _, digit := range text {
			n = n*10 + int(digit-'0')
		}
		return n
	}
	return w.Code
}

func TestEveryDialectTellsTheSame(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		var asked []*policy.Request
		r := told(dialect)
		r.Header.Set("Cookie", "a=1")
		if w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, &asked)), r); w.Code != 200 || len(asked) != 1 {
			t.Errorf("%s: %d, asked %d times", dialect, w.Code, len(asked))
			continue
		}
		got := asked[0]
		got.Headers = slices.DeleteFunc(got.Headers, func(h policy.Header) bool { return h.Name == "X-Forwarded-For" })
		want := &policy.Request{
			Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/a%20b?x=1", Peer: netip.MustParseAddr("198.51.100.7"),
			Headers:       []policy.Header{{Name: "Cookie", Value: "a=1"}},
			UpgradeStands: true, FieldsStand: dialect != "envoy" && dialect != "haproxy/script", Unseen: dialect == "envoy", AnswersAlone: dialect == "traefik" || dialect == "caddy" || dialect == "haproxy",
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dialect, diff)
		}
	}
}

// What a check does not tell, or tells twice, is not guessed.
func TestAnUnclearCheckIsRefused(t *testing.T) {
	t.Parallel()
	fields := map[string][]string{
		"nginx": {"X-Original-Method", "X-Original-Url"}, "envoy": {"X-Forwarded-Proto"},
	}
	for _, dialect := range dialects {
		names := fields[dialect]
		if names == nil {
			names = []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}
		}
		for _, name := range names {
			for spoilt, values := range map[string][]string{"missing": nil, "empty": {""}, "repeated": {told(dialect).Header.Get(name), told(dialect).Header.Get(name)}} {
				var asked []*policy.Request
				r := told(dialect)
				if r.Header[name] == nil {
					t.Fatalf("%s has no %s", dialect, name)
				}
				r.Header[name] = values
				if w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, &asked)), r); status(w) != 400 || len(asked) > 0 {
					t.Errorf("%s, %s %s: %d, asked %d times", dialect, name, spoilt, status(w), len(asked))
				}
			}
		}
	}
	for _, c := range []struct{ dialect, name, value string }{
		{"nginx", "X-Original-Url", "/a"}, {"nginx", "X-Original-Url", "https://app.example.com"}, {"nginx", "X-Original-Url", "ftp://app.example.com/"},
		{"nginx", "X-Real-Ip", "me"}, {"traefik", "X-Forwarded-Proto", "httpss"}, {"caddy", "X-Forwarded-Proto", "ws"}, {"caddy", "X-Forwarded-For", "198.51.100.7, me"},
		{"envoy", "X-Forwarded-For", ""},
	} {
		r := told(c.dialect)
		r.Header.Set(c.name, c.value)
		if w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil)), r); status(w) != 400 {
			t.Errorf("%s with %s %q: %d", c.dialect, c.name, c.value, status(w))
		}
	}
}

func TestTraefiksWebSocketsAreHTTP(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]string{"ws": "http", "wss": "https"} {
		var asked []*policy.Request
		r := told("traefik")
		r.Header.Set("X-Forwarded-Proto", scheme)
		if ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, &asked)), r); len(asked) != 1 || asked[0].Scheme != want {
			t.Errorf("%s: %v", scheme, asked)
		}
	}
}

// Who can ask can ask about anybody, and is given cookies.
func TestOnlyProxiesAreAnswered(t *testing.T) {
	t.Parallel()
	for _, dialect := range append(dialects, "nginx/answer") {
		for _, peer := range []string{"203.0.113.9:1", "[2001:db8::1]:1", "", "@", "10.0.0.2"} {
			r := told(strings.TrimSuffix(dialect, "/answer"))
			r.RequestURI = strings.Replace(r.RequestURI, "/forward-auth/nginx", "/forward-auth/"+dialect, 1)
			r.RemoteAddr = peer
			asked := []*policy.Request{}
			if w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, &asked)), r); w.Code != 403 || len(asked) > 0 {
				t.Errorf("%s for %q: %d, asked %d times", dialect, peer, w.Code, len(asked))
			}
		}
	}
	h, err := forwardauth.New(fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil), forwardauth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, told("caddy")); w.Code != 403 {
		t.Errorf("with nobody trusted: %d", w.Code)
	}
	r := told("caddy")
	if r.TLS = (&tls.ConnectionState{}); ask(h, r).Code != 403 {
		t.Error("TLS without a client certificate is trusted")
	}
	if r.TLS.VerifiedChains = [][]*x509.Certificate{{}}; ask(h, r).Code != 200 {
		t.Error("a client certificate that was verified is not trusted")
	}
}

func TestAUnixSocketIsTrusted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := forwardauth.New(fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil), forwardauth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	r := told("caddy")
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", "clerkgate"
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("%s", response.Status)
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	t.Parallel()
	h := newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil))
	for _, path := range []string{"/", "/forward-auth", "/forward-auth/", "/forward-auth/apache", "/forward-auth/caddy/", "/forward-auth/caddy/x", "/forward-auth/envoys/a", "//forward-auth/caddy", "/x/../forward-auth/caddy"} {
		r := told("caddy")
		r.RequestURI = path
		if w := ask(h, r); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	// The rest of the path is the client's, with whatever it has.
	for _, path := range []string{"/../caddy", "//admin", "/%2e%2e/caddy?/forward-auth/caddy"} {
		var asked []*policy.Request
		r := told("envoy")
		r.RequestURI = "/forward-auth/envoy" + path
		if ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, &asked)), r); len(asked) != 1 || asked[0].Target != path {
			t.Errorf("%s: %v", path, asked)
		}
	}
}

func TestWhatFailsDenies(t *testing.T) {
	t.Parallel()
	if _, err := forwardauth.New(nil, forwardauth.Options{}); err == nil {
		t.Error("no policy is a policy")
	}
	for _, dialect := range dialects {
		if w := ask(new(forwardauth.Handler), told(dialect)); w.Code < 400 {
			t.Errorf("the zero handler answers %s with %d", dialect, w.Code)
		}
		if w := ask(newHandler(t, fixed(policy.Decision{}, nil)), told(dialect)); w.Code != 403 && w.Code != 401 {
			t.Errorf("the zero decision answers %s with %d", dialect, w.Code)
		}
		for name, d := range map[string]policy.Decision{
			"a denial of 200":            {Status: 200},
			"a denial of 204":            {Status: 204},
			"a denial that speaks gRPC":  {Status: 401, GRPC: &policy.GRPCStatus{Code: 16}},
			"a redirect without a place": {Outcome: policy.Redirect, Status: 307},
		} {
			if w := ask(newHandler(t, fixed(d, nil)), told(dialect)); w.Code < 300 {
				t.Errorf("%s answers %s with %d", name, dialect, w.Code)
			}
		}
		panics := decide(func(*policy.Request) policy.Decision { panic("secret") })
		if w := ask(newHandler(t, panics), told(dialect)); status(w) != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("a panic answers %s with %d %s", dialect, status(w), w.Body)
		}
	}
}

// A log record says who asked, and nothing that anybody could use.
func TestLogsAndMetrics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	d := policy.Denial(policy.ReasonRoleMissing)
	d.Cause = errors.New("the cause")
	h, err := forwardauth.New(fixed(d, nil), forwardauth.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Metrics: registry, Trusts: netip.MustParsePrefix("10.0.0.0/24").Contains,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := told("nginx")
	r.Header.Set("Cookie", "__session=canary")
	r.Header.Set("X-Original-Url", "https://app.example.com/a?token=canary")
	ask(h, r)
	stranger := told("nginx")
	stranger.RemoteAddr = "203.0.113.9:1"
	ask(h, stranger)
	for _, want := range []string{"reason=role-missing", "path=/a ", "reason=peer-untrusted", "203.0.113.9:1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "canary") {
		t.Errorf("the log has a secret:\n%s", &log)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, f := range families {
		found = found || f.GetName() == "clerkgate_decisions_total" && strings.Contains(f.String(), `value:"forward-auth"`)
	}
	if !found {
		t.Error("decisions are not counted")
	}
}
