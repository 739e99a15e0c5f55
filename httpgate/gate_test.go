package httpgate

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/policy"
)

// recorder keeps the last decision of a policy.
type recorder struct {
	decider Decider
	last    policy.Decision
}

func (p *recorder) Decide(ctx context.Context, r *policy.Request) policy.Decision {
	p.last = p.decider.Decide(ctx, r)
	return p.last
}

// signedIn says who is asking, whatever the request holds.
type signedIn struct{ state policy.AuthState }

func (s signedIn) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return s.state
}

// as is the authentication of a member of an organization.
func as(role string) signedIn {
	return signedIn{policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: &policy.Principal{
		TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgRole: role,
	}}}
}

// nobody is not signed in.
var nobody = signedIn{policy.AuthState{Reason: policy.ReasonSessionMissing}}

// testRules are the policy of the tests.
var testRules = policy.Config{Rules: []policy.Rule{
	{Name: "public", Match: policy.Match{Path: policy.StringList{"/public(.*)"}}, Access: policy.Public},
	{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
}}

func newPolicy(tb testing.TB, who policy.Authenticator) *policy.Policy {
	tb.Helper()
	p, err := policy.New(testRules, policy.Deps{Authenticator: who, Now: time.Now,
		Instance: policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func newGate(tb testing.TB, p Decider, o Options) *Gate {
	tb.Helper()
	g, err := New(p, o)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// received parses what a client sent, as the server does.
func received(tb testing.TB, raw string) *http.Request {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		tb.Fatal(err)
	}
	r.TLS, r.RemoteAddr = new(tls.ConnectionState), "198.51.100.7:1234"
	return r
}

func get(tb testing.TB, target string) *http.Request {
	tb.Helper()
	return received(tb, "GET "+target+" HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
}

// serve sends a request through a gate, and returns it as the next handler saw it:
// nil where that was not called.
func serve(g *Gate, r *http.Request) (*httptest.ResponseRecorder, *http.Request) {
	w := httptest.NewRecorder()
	var seen *http.Request
	g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		_, _ = io.WriteString(w, "served")
	})).ServeHTTP(w, r)
	return w, seen
}

func TestAGateOfNoPolicyAdmitsNobody(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, Options{}); err == nil {
		t.Error("a gate of no policy is made")
	}
	if w, seen := serve(new(Gate), get(t, "/public")); seen != nil || w.Code != http.StatusForbidden {
		t.Errorf("the zero gate answers %d", w.Code)
	}
}

func TestHandlersKnowWhoIsAsking(t *testing.T) {
	t.Parallel()
	w, seen := serve(newGate(t, newPolicy(t, as("org:admin")), Options{}), get(t, "/admin"))
	if seen == nil {
		t.Fatalf("status %d", w.Code)
	}
	if p := PrincipalFrom(seen.Context()); p == nil || p.UserID != "user_1" {
		t.Errorf("principal %v", p)
	}
	if d := DecisionFrom(seen.Context()); d == nil || d.Rule != "admin" || seen.Header.Get("X-User-Id") != "user_1" {
		t.Errorf("decision %+v, fields %v", d, seen.Header)
	}
	_, seen = serve(newGate(t, newPolicy(t, nobody), Options{}), get(t, "/public"))
	if p := PrincipalFrom(seen.Context()); p != nil {
		t.Errorf("nobody is %v", p)
	}
	if p := PrincipalFrom(t.Context()); p != nil {
		t.Errorf("without a gate there is %v", p)
	}
}

// Handlers in front of the gate, a log say, have the request as it came.
func TestTheRequestThatCameStaysAsItIs(t *testing.T) {
	t.Parallel()
	who := as("org:admin")
	who.state.Forward = &policy.Forward{Cookie: "a=1", RemoveQuery: []string{"__clerk_handshake"}}
	r := received(t, "GET /admin?b=%32&__clerk_handshake=t&a HTTP/1.1\r\nHost: app.example.com\r\nCookie: a=1; __session=old\r\nX-User-Id: forged\r\n\r\n")
	header, uri := maps.Clone(r.Header), r.URL.RequestURI()
	_, seen := serve(newGate(t, newPolicy(t, who), Options{}), r)
	if got := seen.URL.RequestURI(); got != "/admin?b=%32&a" || seen.Header.Get("Cookie") != "a=1" || seen.Header.Get("X-User-Id") != "user_1" {
		t.Errorf("the next handler sees %s %v", got, seen.Header)
	}
	if diff := cmp.Diff(header, r.Header); diff != "" || r.URL.RequestURI() != uri {
		t.Errorf("the request that came is now %s, fields (-want +got):\n%s", r.URL.RequestURI(), diff)
	}
}

func TestIdentityHeadersOfTheClientNeverArrive(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]signedIn{"signed in": as("org:admin"), "anonymous": nobody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, "/public")
			for _, spelling := range []string{"X-User-Id", "x-user-id", "X-USER-ID", "X_User_Id", "X.User.Id", "X-Org-Role", "x_org_role", "X-Original-Url"} {
				r.Header[spelling] = []string{"forged", "forged again"}
			}
			r.Header["X-Kept"] = []string{"kept"}
			_, seen := serve(newGate(t, newPolicy(t, who), Options{}), r)
			for field, values := range seen.Header {
				if slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, "forged") }) {
					t.Errorf("%s came through", field)
				}
			}
			if seen.Header.Get("X-Kept") != "kept" {
				t.Errorf("X-Kept is lost: %v", seen.Header)
			}
		})
	}
}

// net/http puts every trailer that comes into the map of those announced, as the
// body ends.
func TestTrailersCannotCarryAnIdentity(t *testing.T) {
	t.Parallel()
	r := received(t, "POST /public HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, X-User-Id, X_Org_Role\r\n\r\n"+
		"2\r\nhi\r\n0\r\nX-Checksum: 1\r\nX-User-Id: forged\r\nX_Org_Role: forged\r\nX-Session-Id: forged\r\n\r\n")
	_, seen := serve(newGate(t, newPolicy(t, nobody), Options{}), r)
	body, err := io.ReadAll(seen.Body)
	if string(body) != "hi" || err != nil {
		t.Fatalf("body %q, %v", body, err)
	}
	if diff := cmp.Diff(http.Header{"X-Checksum": {"1"}}, seen.Trailer); diff != "" {
		t.Errorf("trailers of the next handler (-want +got):\n%s", diff)
	}
}

// A handler in front that cuts something off the path has the rest judged, and
// what it cut it off from.
func TestBothTargetsAreJudgedWhereAHandlerInFrontChangedIt(t *testing.T) {
	t.Parallel()
	g := newGate(t, newPolicy(t, nobody), Options{})
	for name, c := range map[string]struct {
		prefix, target string
		status         int
	}{
		"nothing is cut off":        {"", "/public/a", 200},
		"both are public":           {"/public", "/public/public/a", 200},
		"what came is guarded":      {"/admin", "/admin/public", 401},
		"what is served is guarded": {"/public", "/public/admin", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			http.StripPrefix(c.prefix, g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(w, get(t, c.target))
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
		})
	}
}

func TestRequestHoldsTheFacts(t *testing.T) {
	t.Parallel()
	host := func(r *http.Request) *http.Request { r.Host = "app.example.com"; return r }
	for name, c := range map[string]struct {
		request *http.Request
		want    policy.Request
	}{
		"over TLS":                 {get(t, "/a?b=c"), policy.Request{Scheme: "https", Target: "/a?b=c"}},
		"in absolute form":         {received(t, "GET http://app.example.com/a HTTP/1.1\r\nHost: x\r\n\r\n"), policy.Request{Scheme: "https", Target: "/a"}},
		"with what needs escapes":  {received(t, "GET /a|\"b HTTP/1.1\r\nHost: app.example.com\r\n\r\n"), policy.Request{Scheme: "https", Target: "/a%7C%22b"}},
		"of a handler, not a wire": {host(&http.Request{Method: "GET", ProtoMajor: 1, URL: get(t, "/a").URL, RemoteAddr: "198.51.100.7:1"}), policy.Request{Scheme: "http", Target: "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.Method, c.want.Version, c.want.Host, c.want.Peer, c.want.Headers = "GET", 1, "app.example.com", netip.MustParseAddr("198.51.100.7"), []policy.Header{}
			if diff := cmp.Diff(&c.want, Request(c.request), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
	broken := get(t, "/a")
	broken.RequestURI = "a"
	if got := Request(broken); got.Target != "" {
		t.Errorf("a request line that is none has the target %q", got.Target)
	}
}

func TestAnswersSayWhatTheDecisionSays(t *testing.T) {
	t.Parallel()
	body := []byte("no\n")
	fields := []policy.Header{{Name: "Cache-Control", Value: "no-store"}, {Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}}
	for name, c := range map[string]struct {
		decision policy.Decision
		method   string
		status   int
		body     string
		want     http.Header
	}{
		"a refusal": {policy.Decision{Status: 403, Body: body, ResponseHeaders: fields}, "GET", 403, "no\n",
			http.Header{"Cache-Control": {"no-store"}, "Set-Cookie": {"mine=1", "a=1", "b=2"}}},
		"to HEAD": {policy.Decision{Status: 403, Body: body}, "HEAD", 403, "", http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"mine=1"}}},
		"a redirect": {policy.Decision{Outcome: policy.Redirect, Status: 307, ResponseHeaders: []policy.Header{{Name: "Location", Value: "/in"}}}, "GET", 307, "",
			http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"mine=1"}, "Location": {"/in"}, "Content-Length": {"0"}}},
		"gRPC": {policy.Decision{Status: 403, GRPC: &policy.GRPCStatus{Code: 7, Message: "50 % ü\n"}, Body: body}, "POST", 200, "",
			http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"mine=1"}, "Content-Type": {"application/grpc"}, "Grpc-Status": {"7"}, "Grpc-Message": {"50 %25 %C3%BC%0A"}}},
		"the zero decision": {policy.Decision{}, "GET", 403, "", http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"mine=1"}, "Content-Length": {"0"}}},
		"a pass, which has no answer": {policy.Decision{Outcome: policy.Allow, Status: 200, Body: body}, "GET", 403, "",
			http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"mine=1"}, "Content-Length": {"0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			w.Header().Set("Cache-Control", "public") // of a handler in front
			w.Header().Set("Set-Cookie", "mine=1")
			r := get(t, "/")
			r.Method = c.method
			if err := Answer(w, r, &c.decision); err != nil || w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("%d %q, %v; want %d %q", w.Code, w.Body, err, c.status, c.body)
			}
			if diff := cmp.Diff(c.want, w.Header()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// AddFields goes with a page of somebody else.
func TestAddFieldsLeavesOutWhatIsAboutOurBody(t *testing.T) {
	t.Parallel()
	fields := []policy.Header{{Name: "Content-Type", Value: "application/problem+json"}, {Name: "Retry-After", Value: "5"}, {Name: "Vary", Value: "Accept"}}
	refused, allowed := http.Header{"Retry-After": {"9"}, "Vary": {"Origin"}}, http.Header{"Vary": {"Origin"}}
	AddFields(refused, &policy.Decision{Status: 503, ResponseHeaders: fields})
	if diff := cmp.Diff(http.Header{"Retry-After": {"5"}, "Vary": {"Origin", "Accept"}}, refused); diff != "" {
		t.Errorf("with a refusal (-want +got):\n%s", diff)
	}
	AddFields(allowed, &policy.Decision{Outcome: policy.Allow, ResponseHeaders: fields[2:]})
	if diff := cmp.Diff(http.Header{"Vary": {"Origin", "Accept"}}, allowed); diff != "" {
		t.Errorf("with a pass (-want +got):\n%s", diff)
	}
}

// A WebSocket opens through the gate; no other change of protocol does.
func TestOnlyWebSocketsChangeTheProtocol(t *testing.T) {
	t.Parallel()
	g := newGate(t, newPolicy(t, nobody), Options{})
	for upgrade, want := range map[string]string{"websocket": "websocket", "h2c": "", "tcp": ""} {
		_, seen := serve(g, received(t, "GET /public HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: "+upgrade+"\r\n\r\n"))
		if seen == nil || seen.Header.Get("Upgrade") != want {
			t.Errorf("%s: the next handler sees %v", upgrade, seen)
		}
	}
}

func TestDecisionsAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var log bytes.Buffer
	who := as("org:member")
	g := newGate(t, newPolicy(t, who), Options{Metrics: registry, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	r := get(t, "/admin/x?token=canary")
	r.Header.Set("Authorization", "Bearer canary")
	serve(g, r)
	serve(g, get(t, "/public"))
	const want = `
# HELP clerkgate_decisions_total Decisions made, by rule, outcome and reason.
# TYPE clerkgate_decisions_total counter
clerkgate_decisions_total{adapter="http",outcome="allow",reason="public",rule="public"} 1
clerkgate_decisions_total{adapter="http",outcome="deny",reason="role-missing",rule="admin"} 1
# HELP clerkgate_decisions_in_flight Decisions being made now.
# TYPE clerkgate_decisions_in_flight gauge
clerkgate_decisions_in_flight{adapter="http"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "clerkgate_decisions_total", "clerkgate_decisions_in_flight"); err != nil {
		t.Error(err)
	}
	var got map[string]any
	if err := json.Unmarshal(log.Bytes(), &got); err != nil { // one record: passes are at debug
		t.Fatalf("%v: %s", err, log.String())
	}
	if got["path"] != "/admin/x" || got["reason"] != "role-missing" || got["level"] != "INFO" || strings.Contains(log.String(), "canary") {
		t.Errorf("the log: %s", log.String())
	}
	if _, err := New(newPolicy(t, who), Options{Metrics: clash{}}); err == nil {
		t.Error("metrics that cannot be registered are no error")
	}
}

// clash is a registry that takes nothing.
type clash struct{ prometheus.Registerer }

func (clash) Register(prometheus.Collector) error { return errors.New("taken") }
