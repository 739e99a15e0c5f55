package sessionpage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

const origin = "https://app.example.com"

// world is a page, the instance it belongs to, and what happens there, in order.
type world struct {
	*Handler
	clerk *clerktest.Instance
	api   *fakeAPI
	log   bytes.Buffer
	edge  *edge
}

// newWorld makes a page over a Backend API that is a function call away.
func newWorld(tb testing.TB, change func(*Options)) *world {
	tb.Helper()
	return newWorldAt(tb, time.Now, change)
}

// newWorldAt is newWorld with a clock of its own.
func newWorldAt(tb testing.TB, now func() time.Time, change func(*Options)) *world {
	tb.Helper()
	w := &world{clerk: clerktest.Start(tb, clerktest.Options{Live: true, Origins: []string{origin}, Now: now})}
	w.api = &fakeAPI{key: w.clerk.SecretKey(), clerk: w.clerk}
	w.edge = &edge{api: w.api}
	config := session.Config{PublishableKey: w.clerk.PublishableKey(), SecretKey: w.clerk.SecretKey(), APIURL: "https://api.clerk.test",
		AuthorizedParties: policy.StringList{origin}, SignInURL: "https://accounts.example.com/sign-in"}
	authenticator, err := session.New(config, session.Options{HTTPClient: w.api.client()})
	if err != nil {
		tb.Fatal(err)
	}
	authenticator.Start(tb.Context())
	tb.Cleanup(authenticator.Close)
	o := Options{
		Clerk: config, Authenticator: authenticator, Request: overHTTPS, Revoker: w.edge, HTTPClient: w.api.client(),
		Instance: authenticator.Instance(),
		Logger:   slog.New(slog.NewTextHandler(&w.log, nil)),
		Now:      now,
	}
	if change != nil {
		change(&o)
	}
	if w.Handler, err = New(o); err != nil {
		tb.Fatal(err)
	}
	return w
}

// overHTTPS is a request as if it had come over https.
func overHTTPS(r *http.Request) *policy.Request {
	request := httpgate.Request(r)
	request.Scheme = "https"
	return request
}

// signIn begins a session that Clerk knows, with a device.
func (w *world) signIn(tb testing.TB, user, browser string) *clerktest.Session {
	tb.Helper()
	s, err := w.clerk.SignIn(user)
	if err != nil {
		tb.Fatal(err)
	}
	w.api.add(s, browser)
	return s
}

// send makes a request as a browser that holds a session, or as a program.
func (w *world) send(method, path string, s *clerktest.Session, accept string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, origin+path, nil)
	r.Header.Set("Accept", accept)
	if s != nil {
		r.Header.Set("Cookie", "__client_uat=1; __session="+w.clerk.Mint(s, clerktest.Token{})+"; theme=dark")
	}
	if method == http.MethodPost {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, f := range change {
		f(r)
	}
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

const (
	browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	jsonAccept    = "application/json"
)

// decode reads a JSON answer.
func decode[T any](tb testing.TB, answer *httptest.ResponseRecorder) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal(answer.Body.Bytes(), &v); err != nil {
		tb.Fatalf("%v in %s", err, answer.Body)
	}
	return v
}

// edge records the sessions it is told have ended.
type edge struct {
	api  *fakeAPI
	fail error
}

func (e *edge) RevokeSession(_ context.Context, id string) error {
	if e.fail != nil {
		return e.fail
	}
	e.api.record("edge " + id)
	return nil
}

// fakeAPI is as much of Clerk's Backend API as the page calls.
type fakeAPI struct {
	key   string
	clerk *clerktest.Instance

	mu       sync.Mutex
	sessions []map[string]any
	happened []string
	// status and body answer in place of the API, for paths that end in fails.
	fails, body string
	status      int
}

func (f *fakeAPI) client() *http.Client { return &http.Client{Transport: f} }

func (f *fakeAPI) record(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.happened = append(f.happened, what)
}

// calls are what happened but for fetching keys.
func (f *fakeAPI) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.happened)
}

func (f *fakeAPI) add(s *clerktest.Session, browser string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := s.CreatedAt.Add(time.Duration(len(f.sessions)) * time.Second).UnixMilli()
	f.sessions = append(f.sessions, map[string]any{
		"object": "session", "id": s.ID, "client_id": "client_" + s.ID, "user_id": s.User.ID, "status": "active",
		"last_active_at": at, "created_at": s.CreatedAt.UnixMilli(), "updated_at": at, "expire_at": at + 1e9, "abandon_at": at + 1e9,
		"latest_activity": map[string]any{"object": "session_activity", "id": "sess_activity_1", "device_type": "Macintosh", "is_mobile": false,
			"browser_name": browser, "browser_version": "156.0.1.2", "ip_address": "203.0.113.9", "city": "Lisbon", "country": "PT"},
	})
}

func (f *fakeAPI) find(id string) map[string]any {
	i := slices.IndexFunc(f.sessions, func(s map[string]any) bool { return s["id"] == id })
	if i < 0 {
		return nil
	}
	return f.sessions[i]
}

// RoundTrip answers a call without a network.
func (f *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	f.serve(answer, r)
	response := answer.Result()
	response.Request = r
	return response, nil
}

func (f *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Scheme+"://"+r.URL.Host != "https://api.clerk.test" || r.Header.Get("Authorization") != "Bearer "+f.key {
		panic("a call to somebody else: " + r.URL.String())
	}
	if r.URL.Path == "/v1/jwks" {
		_ = json.NewEncoder(w).Encode(f.clerk.JWKS())
		return
	}
	f.record(r.Method + " " + r.URL.RequestURI())
	f.mu.Lock()
	defer f.mu.Unlock()
	path, isSession := strings.CutPrefix(r.URL.Path, "/v1/sessions/")
	id, isRevoke := strings.CutSuffix(path, "/revoke")
	found := f.find(id)
	switch {
	case f.fails != "" && strings.HasSuffix(r.URL.Path, f.fails):
		w.WriteHeader(f.status)
		fmt.Fprint(w, f.body)
	case r.Method == http.MethodGet && r.URL.Path == "/v1/sessions":
		f.list(w, r)
	case !isSession:
		panic("a call to " + r.URL.String())
	case found == nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"resource_not_found","message":"no such session"}]}`)
	case isRevoke && r.Method == http.MethodPost && found["status"] != "active":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"code":"session_not_active","message":"has ended"}]}`)
	case isRevoke && r.Method == http.MethodPost:
		found["status"] = "revoked"
		_ = json.NewEncoder(w).Encode(found)
	default:
		_ = json.NewEncoder(w).Encode(found)
	}
}

func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit := 10
	_, _ = fmt.Sscan(cmp.Or(q.Get("limit"), "10"), &limit)
	data := []any{}
	for _, s := range f.sessions {
		if s["user_id"] == q.Get("user_id") && s["status"] == q.Get("status") {
			data = append(data, s)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data[:min(limit, len(data))], "total_count": len(data)})
}

// everybody is a limiter that lets all pass.
type everybody struct{}

func (everybody) Take(_ context.Context, _ time.Time, _ []policy.LimitCheck, results []policy.LimitResult) error {
	for i := range results {
		results[i].Allowed = true
	}
	return nil
}
