package service

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// document writes a policy document with an offline key.
func document(t *testing.T, rest string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clerkgate.yaml")
	write(t, path, clerktest.OfflineDocument(t)+rest)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadKeepsTheOldPolicyWhereTheNewOneIsWrong(t *testing.T) {
	t.Parallel()
	path := document(t, "default: {access: deny}\n")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before, session := s.state.Load().gate.Policy, s.state.Load().gate.Session
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(good)+"mode: shadw\n")
	if err := s.Reload(); err == nil || s.state.Load().gate.Policy != before {
		t.Errorf("a wrong document took effect: %v", err)
	}
	write(t, path, string(good)+"mode: shadow\n")
	if err := s.Reload(); err != nil || s.state.Load().gate.Policy == before {
		t.Errorf("a good document did not take effect: %v", err)
	}
	if s.state.Load().gate.Session != session {
		t.Error("the keys were dropped, though the clerk section is the same")
	}
}

// Other settings of the stores replace them, and what they counted stays.
func TestCountersGoOnOverAReload(t *testing.T) {
	t.Parallel()
	path := document(t, "revocation: {max_entries: 1000}\n")
	registry := prometheus.NewPedanticRegistry()
	s, err := Open(path, Options{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compare := func(entries, revoked int) {
		t.Helper()
		want := fmt.Sprintf(`# HELP clerkgate_revocation_entries Subjects that have an entry: sessions, users, members, organizations and credentials.
# TYPE clerkgate_revocation_entries gauge
clerkgate_revocation_entries{adapter="http"} %d
# HELP clerkgate_revocation_revoked_total Entries that were made here, by webhooks and by people who signed out.
# TYPE clerkgate_revocation_revoked_total counter
clerkgate_revocation_revoked_total{adapter="http"} %d
`, entries, revoked)
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "clerkgate_revocation_entries", "clerkgate_revocation_revoked_total"); err != nil {
			t.Error(err)
		}
	}
	if err := s.state.Load().gate.Stores.Revocations.RevokeSession(t.Context(), "sess_1"); err != nil {
		t.Fatal(err)
	}
	compare(1, 1)
	before := s.state.Load().gate.Stores
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(good)+"mode: shadow\n")
	if err := s.Reload(); err != nil || s.state.Load().gate.Stores != before {
		t.Errorf("a reload took other stores for the same settings: %v", err)
	}
	compare(1, 1)
	write(t, path, strings.ReplaceAll(string(good), "1000", "2000"))
	if err := s.Reload(); err != nil || s.state.Load().gate.Stores == before {
		t.Errorf("a reload kept the stores: %v", err)
	}
	compare(1, 1)
	write(t, path, strings.Replace(string(good), "1000}", "2000}\nmode: shadw", 1))
	if err := s.Reload(); err == nil {
		t.Error("a wrong document is taken")
	}
	compare(1, 1)
}

// A document that names another Redis is in force once what that knows is known:
// nobody is refused meanwhile.
func TestAReloadWaitsForWhatTheNewStoreKnows(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	path := document(t, "")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.TrimSpace(string(text))+"\nredis: { url: \"redis://"+server.Addr+"\" }\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	who := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", IssuedAt: time.Now()}
	if got := s.state.Load().gate.Stores.Revocations.Revoked(who, time.Now()); got != "" {
		t.Errorf("%q after the reload", got)
	}
}

// A service that nobody opened, and one that only decides, serve nothing and let
// nobody through.
func TestAServiceThatIsNoneAdmitsNobody(t *testing.T) {
	t.Parallel()
	decides, err := Open(document(t, "default: {access: public}\n"), Options{DecideOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer decides.Close()
	for name, s := range map[string]*Service{"of nothing": {}, "that only decides": decides} {
		served := false
		handler := s.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil))
		if served || w.Code < 400 {
			t.Errorf("a service %s: %d, served: %v", name, w.Code, served)
		}
	}
	none := new(Service)
	if d := none.Decide(t.Context(), &policy.Request{Method: "GET"}); d.Allowed() || none.Ready() {
		t.Errorf("a service of nothing allows: %+v", d)
	}
	none.Close()
}

// The app, the session page, webhooks and the keys of assertions are one handler, by
// one document.
func TestWrapProtectsTheAppAndServesItsOwnPages(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{"https://app.example.com"}})
	path := filepath.Join(t.TempDir(), "clerkgate.yaml")
	write(t, path, fmt.Sprintf(`clerk:
  publishable_key: %s
  secret_key: %s
  api_url: %s
  webhook_secret: %s
  sign_in_url: https://accounts.example.com/sign-in
  authorized_parties: https://app.example.com
  proxy_url: https://app.example.com/__clerk
assertion: { audience: app }
rules:
  - { name: home, match: { path: / }, access: public }
`, clerk.PublishableKey(), clerk.SecretKey(), clerk.URL(), clerktest.NewWebhookSecret()))
	registry := prometheus.NewPedanticRegistry()
	s, err := Open(path, Options{SessionPage: true, Metrics: registry, FrontendAPI: clerk.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Open(path, Options{Metrics: registry}); err == nil {
		t.Error("two services count in the same series")
	}
	for deadline := time.Now().Add(20 * time.Second); !s.Ready() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	user, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	token := clerk.Mint(user, clerktest.Token{})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if p := httpgate.PrincipalFrom(r.Context()); p != nil {
			who = p.UserID
		}
		fmt.Fprintf(w, "the app, for %s", who)
	})
	for _, c := range []struct {
		method, target, token string
		wrapped, own          int // statuses behind Wrap, and of the pages alone
		body                  string
	}{
		{"GET", "/", "", 200, 404, "the app, for nobody"},
		{"GET", "/notes", "", 401, 404, ""},
		{"GET", "/notes", token, 200, 404, "the app, for user_ada"},
		{"GET", "/__clerkgate/sessions", token, 200, 200, "sess_"},
		{"GET", "/__clerkgate/sessions", "", 401, 401, ""},
		{"GET", "/__clerkgate/%73essions", token, 200, 404, "the app, for user_ada"}, // another path, protected as others are
		{"GET", "/.well-known/clerkgate/jwks.json", "", 200, 200, `"keys"`},
		{"POST", "/webhooks/clerk", "", 400, 400, ""},
		{"GET", "/__clerk/v1/client", "", 200, 200, "{"},
	} {
		for _, ask := range []struct {
			handler http.Handler
			status  int
		}{{s.Wrap(app), c.wrapped}, {s, c.own}} {
			r := httptest.NewRequest(c.method, "https://app.example.com"+c.target, nil)
			r.Header.Set("Accept", "application/json")
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			ask.handler.ServeHTTP(w, r)
			if w.Code != ask.status || ask.status == 200 && !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.target, w.Code, w.Body, ask.status)
			}
		}
	}
	if n, err := testutil.GatherAndCount(registry, "clerkgate_decisions_total"); err != nil || n == 0 {
		t.Errorf("%d series of decisions, %v", n, err)
	}
}

// What Open refuses, Validate refuses, in the same words; and it finds what is only
// suspicious, where it stands.
func TestValidateFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	for rest, o := range map[string]Options{
		"rules: [{name: a}]\n": {},
		"mode: shadw\n":        {DecideOnly: true},
		"":                     {SessionPage: true}, // without a secret key
	} {
		path := document(t, rest)
		s, err := Open(path, o)
		if err == nil {
			s.Close()
			t.Errorf("%q opens", rest)
			continue
		}
		if _, found := Validate(path, o); found == nil || found.Error() != err.Error() || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%q: Open says %v, Validate %v", rest, err, found)
		}
	}
	path := document(t, "rules:\n  - {name: a, match: {path: /a}}\n  - {name: b, match: {path: '/b(.*)'}}\n")
	report, err := Validate(path, Options{})
	if err != nil || report.Rules != 2 || len(report.Findings) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	f := report.Findings[0]
	if f.File != path || f.Line < 3 || f.Column < 2 || f.ID == "" || !strings.HasPrefix(f.String(), fmt.Sprintf("%s:%d:%d: ", path, f.Line, f.Column)) {
		t.Errorf("%+v", f)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same, err := ValidateFrom("stdin", strings.NewReader(string(text)), Options{})
	if err != nil || len(same.Findings) != len(report.Findings) || !strings.HasPrefix(same.Findings[0].String(), "stdin:") {
		t.Errorf("%+v, %v", same, err)
	}
}

// Limits are shown and reset where instances count, and nowhere else.
func TestLimitsAreThoseOfTheRedis(t *testing.T) {
	t.Parallel()
	const limits = "limits: {per-ip: {limit: 2, window: 1m, key: ip}}\ndefault: {access: public, limits: [per-ip]}\n"
	key := policy.LimitQuery{Parts: []string{"192.0.2.1"}, Every: true}
	alone, err := OpenLimits(document(t, limits), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := alone.Show(t.Context(), key); !errors.Is(err, ErrNoRedis) {
		t.Errorf("got %v", err)
	}
	path := document(t, limits+"redis: {url: \"redis://"+testredis.Start(t).Addr+"\", budget: 20s}\n")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	shared, err := OpenLimits(path, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	ask := func() int {
		r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		w := httptest.NewRecorder()
		s.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w.Code
	}
	for i, want := range []int{200, 200, 429} {
		if got := ask(); got != want {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	standing, err := shared.Show(t.Context(), key)
	if err != nil || len(standing) != 1 || standing[0].Name != "per-ip" || standing[0].Result.Allowed || standing[0].Result.Remaining != 0 {
		t.Errorf("%+v, %v", standing, err)
	}
	names, err := shared.Reset(t.Context(), key)
	if err != nil || len(names) != 1 || names[0] != "per-ip" {
		t.Errorf("%v, %v", names, err)
	}
	if standing, err = shared.Show(t.Context(), key); err != nil || !standing[0].Result.Allowed || standing[0].Result.Remaining != 2 {
		t.Errorf("after the reset: %+v, %v", standing, err)
	}
}
