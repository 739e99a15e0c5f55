package caddyplugin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

func TestEveryOutcomeReachesTheClient(t *testing.T) {
	t.Parallel()
	navigation := "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
	for name, c := range map[string]struct {
		who              signedIn
		line, headers    string
		status           int
		outcome, reason  string
		passes, bodyless bool
	}{
		"an admin passes":                      {as("org:admin"), "GET /admin", "", 200, "allow", "allowed", true, false},
		"a public route passes":                {nobody, "GET /public", "", 200, "allow", "public", true, false},
		"nobody is told to sign in":            {nobody, "GET /admin", "", 401, "deny", "session-token-and-uat-missing", false, false},
		"a browser is sent to sign in":         {nobody, "GET /admin", navigation, 307, "redirect", "session-token-and-uat-missing", false, true},
		"a member is forbidden":                {as("org:member"), "GET /admin", "", 403, "deny", "role-missing", false, false},
		"what is hidden is not found":          {as("org:member"), "GET /hidden", "", 404, "deny", "role-missing", false, false},
		"HEAD has no body":                     {as("org:member"), "HEAD /admin", "", 403, "deny", "role-missing", false, true},
		"a closed route is closed":             {as("org:admin"), "GET /closed", "", 403, "deny", "rule-denies", false, false},
		"an ambiguous target is refused":       {as("org:admin"), "GET /admin/%2e%2e/public", "", 400, "deny", "target-ambiguous", false, false},
		"an outage refuses":                    {signedIn{policy.AuthState{Status: policy.Unavailable}}, "GET /admin", "", 503, "error", "keys-unavailable", false, false},
		"asking to drop our header is refused": {as("org:admin"), "GET /admin", "Connection: X-User-Id\r\n", 400, "deny", "connection-malformed", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serve(newHandler(t, testRules, c.who), received(t, c.line+" HTTP/1.1\r\nHost: app.example.com\r\n"+c.headers+"\r\n"))
			if o.err != nil || o.Code != c.status || (o.upstream != nil) != c.passes {
				t.Errorf("status %d, error %v, upstream called: %t; want %d, none, %t", o.Code, o.err, o.upstream != nil, c.status, c.passes)
			}
			if got := o.placeholder("http.clerk.outcome") + " " + o.placeholder("http.clerk.reason"); got != c.outcome+" "+c.reason {
				t.Errorf("outcome and reason %s, want %s %s", got, c.outcome, c.reason)
			}
			if (o.Body.Len() == 0) != c.bodyless {
				t.Errorf("body %q, want none: %t", o.Body, c.bodyless)
			}
		})
	}
}

// An upstream with a Clerk SDK of its own must see the session as it now is, and
// nothing of how it was renewed.
func TestTheUpstreamSeesRenewedCredentials(t *testing.T) {
	t.Parallel()
	who := as("org:admin")
	who.state.Headers = []policy.Header{{Name: "Set-Cookie", Value: "__session=new"}, {Name: "Set-Cookie", Value: "__client_uat=1"}}
	who.state.Forward = &policy.Forward{Cookie: "a=1; __session=new", RemoveQuery: []string{"__clerk_handshake"}}
	o := serve(newHandler(t, testRules, who), received(t, "GET /admin?b=%32&__clerk_handshake=t&a HTTP/1.1\r\nHost: app.example.com\r\nCookie: a=1\r\nCookie: __session=old\r\n\r\n"))
	if o.upstream == nil {
		t.Fatalf("status %d", o.Code)
	}
	if got := o.upstream.URL.RequestURI(); got != "/admin?b=%32&a" {
		t.Errorf("the upstream is asked for %s", got)
	}
	if diff := cmp.Diff([]string{"a=1; __session=new"}, o.upstream.Header["Cookie"]); diff != "" {
		t.Errorf("the upstream's cookies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"__session=new", "__client_uat=1"}, o.Header()["Set-Cookie"]); diff != "" {
		t.Errorf("the client's cookies (-want +got):\n%s", diff)
	}
}

// A client that sends identity headers itself, under any spelling that an
// upstream may fold to ours, must not see them arrive: not those that get a
// value, and not those that have none.
func TestIdentityHeadersOfTheClientNeverArrive(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]signedIn{"signed in": as("org:admin"), "anonymous": nobody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, "/public")
			for _, spelling := range []string{"X-User-Id", "x-user-id", "X-USER-ID", "X_User_Id", "X-User_Id", "X.User.Id", "X-Org-Role", "x_org_role", "X-Original-Url", "x-forwarded_uri", "X-Middleware-Subrequest"} {
				r.Header[spelling] = []string{"forged", "forged again"}
			}
			r.Header["X-Kept"] = []string{"kept"}
			o := serve(newHandler(t, testRules, who), r)
			want := http.Header{"X-Kept": {"kept"}}
			if p := who.state.Principal; p != nil {
				want = http.Header{"X-Kept": {"kept"}, "X-User-Id": {"user_1"}, "X-Session-Id": {"sess_1"}, "X-Org-Id": {"org_1"},
					"X-Org-Slug": {"acme"}, "X-Org-Role": {"org:admin"}, "X-Auth-Type": {"session_token"}}
			}
			if diff := cmp.Diff(want, o.upstream.Header); diff != "" {
				t.Errorf("header of the upstream request (-want +got):\n%s", diff)
			}
		})
	}
}

// net/http puts every trailer that comes into the map of those announced, as
// the body ends, and reverse_proxy sends that map on. So a trailer is removed
// that is announced under one of our names, and one that is not announced at
// all.
func TestTrailersCannotCarryAnIdentity(t *testing.T) {
	t.Parallel()
	r := received(t, "POST /public HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, X-User-Id, X_Org_Role\r\n\r\n"+
		"2\r\nhi\r\n0\r\nX-Checksum: 1\r\nX-User-Id: forged\r\nX_Org_Role: forged\r\nX-Session-Id: forged\r\n\r\n")
	o := serve(newHandler(t, testRules, nobody), r)
	body, err := io.ReadAll(o.upstream.Body)
	if string(body) != "hi" || err != nil {
		t.Fatalf("body %q, %v", body, err)
	}
	if diff := cmp.Diff(http.Header{"X-Checksum": {"1"}}, o.upstream.Trailer); diff != "" {
		t.Errorf("trailers of the upstream request (-want +got):\n%s", diff)
	}
}

func TestTheTargetJudgedIsTheOneServed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rewrite func(r *http.Request)
		status  int
	}{
		"as it came":                     {func(*http.Request) {}, 200},
		"rewritten to a closed route":    {func(r *http.Request) { r.URL.Path = "/closed"; r.RequestURI = r.URL.RequestURI() }, 403},
		"only the URL was changed":       {func(r *http.Request) { r.URL.Path = "/public/other" }, 400},
		"only the URI was changed":       {func(r *http.Request) { r.RequestURI = "/public/other" }, 400},
		"only the query was changed":     {func(r *http.Request) { r.URL.RawQuery = "a=1" }, 400},
		"the URI does not parse":         {func(r *http.Request) { r.RequestURI = "public" }, 400},
		"the URI is in absolute form":    {func(r *http.Request) { r.RequestURI = "https://app.example.com/public" }, 200},
		"the URI needs escapes":          {func(r *http.Request) { r.URL.Path = "/public|"; r.RequestURI = "/public|" }, 200},
		"the URI hides another behind ?": {func(r *http.Request) { r.RequestURI = "/public?" }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, "/public")
			c.rewrite(r)
			if o := serve(newHandler(t, testRules, nobody), r); o.Code != c.status {
				t.Errorf("status %d, want %d", o.Code, c.status)
			}
		})
	}
}

// reverse_proxy opens a WebSocket that came by extended CONNECT with GET, so a
// rule for GET must meet it.
func TestExtendedConnectIsJudgedAsTheGETItBecomes(t *testing.T) {
	t.Parallel()
	config := policy.Config{
		Rules:   []policy.Rule{{Name: "get", Match: policy.Match{Method: policy.StringList{"GET"}}, Access: policy.DenyAccess}},
		Default: policy.Default{Access: policy.Public},
	}
	for name, c := range map[string]struct {
		major           int
		proto, protocol string
		status          int
	}{
		"HTTP/2":                  {2, "HTTP/2.0", "websocket", 403},
		"HTTP/3":                  {3, "websocket", "", 403},
		"HTTP/2 without protocol": {2, "HTTP/2.0", "", 400},
		"another tunnel":          {2, "HTTP/2.0", "connect-udp", 400},
		"another over HTTP/3":     {3, "webtransport", "", 400},
		"HTTP/1":                  {1, "HTTP/1.1", "websocket", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, "/chat")
			r.Method, r.ProtoMajor, r.Proto = http.MethodConnect, c.major, c.proto
			if c.protocol != "" {
				r.Header[":protocol"] = []string{c.protocol}
			}
			if o := serve(newHandler(t, config, nobody), r); o.Code != c.status {
				t.Errorf("status %d, want %d", o.Code, c.status)
			}
		})
	}
}

func TestPolicyRequestHoldsCaddysFacts(t *testing.T) {
	t.Parallel()
	plain := get(t, "/a?b=c")
	plain.TLS = nil
	trusted := get(t, "/a?b=c")
	trusted.TLS = nil
	trusted.Header["X-Forwarded-Proto"] = []string{"https"}
	caddyhttp.SetVar(trusted.Context(), caddyhttp.TrustedProxyVarKey, true)
	caddyhttp.SetVar(trusted.Context(), caddyhttp.ClientIPVarKey, "2001:db8::7")
	untrusted := get(t, "/a?b=c")
	untrusted.TLS = nil
	untrusted.Header["X-Forwarded-Proto"] = []string{"https"}
	peer := netip.MustParseAddr("198.51.100.7")
	forwarded := []policy.Header{{Name: "X-Forwarded-Proto", Value: "https"}}
	for name, c := range map[string]struct {
		request *http.Request
		want    policy.Request
	}{
		"a plain connection": {plain, policy.Request{Scheme: "http", Headers: []policy.Header{}}},
		"a trusted proxy":    {trusted, policy.Request{Scheme: "https", Headers: forwarded, Client: netip.MustParseAddr("2001:db8::7")}},
		"anybody else":       {untrusted, policy.Request{Scheme: "http", Headers: forwarded}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.Method, c.want.Version, c.want.Host, c.want.Target, c.want.OriginalTarget, c.want.Peer = "GET", 1, "app.example.com", "/a?b=c", "/a?b=c", peer
			addresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
			if diff := cmp.Diff(&c.want, policyRequest(c.request), addresses); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceholdersTellWhoAndWhy(t *testing.T) {
	t.Parallel()
	o := serve(newHandler(t, testRules, as("org:admin")), get(t, "/admin"))
	for name, want := range map[string]string{
		"http.auth.user.id": "user_1", "http.auth.user.session_id": "sess_1", "http.auth.user.org_id": "org_1",
		"http.auth.user.org_slug": "acme", "http.auth.user.org_role": "org:admin", "http.auth.user.token_type": "session_token",
		"http.auth.user.actor": "", "http.clerk.outcome": "allow", "http.clerk.reason": "allowed", "http.clerk.rule": "admin",
		"http.clerk.client_ip": "198.51.100.7", "http.clerk.shadow": "", "http.clerk.claims.sub": "user_1",
		"http.clerk.claims.o.rol": "admin", "http.clerk.claims.o.nothing": "", "http.clerk.claims.sub.nothing": "",
	} {
		if got, ok := o.repl.GetString(name); got != want || !ok {
			t.Errorf("{%s} is %q (known: %t), want %q", name, got, ok, want)
		}
	}
	if id := o.placeholder("http.clerk.decision_id"); len(id) < 20 || id != o.placeholder("http.clerk.decision_id") {
		t.Errorf("decision id %q is short or not the same twice", id)
	}
	if text := caddy.ToString(caddyhttp.GetVar(o.upstream.Context(), exchangeVar)); strings.Contains(text, "user_1") {
		t.Errorf("the request variable shows %q", text)
	}
}

// Each attribute has a placeholder, and the module's page on Caddy's site says so.
func TestEveryAttributeIsAPlaceholder(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("handler.go")
	if err != nil {
		t.Fatal(err)
	}
	p := corpus.WholePrincipal()
	anybody := policy.Config{Rules: []policy.Rule{{Name: "all", Match: policy.Match{Path: policy.StringList{"/(.*)"}}, Accept: policy.TokenTypes{policy.AnyToken}}}}
	o := serve(newHandler(t, anybody, signedIn{policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: p}}), get(t, "/"))
	for _, a := range policy.Attributes() {
		name := "http.auth.user." + a.Name
		if got, ok := o.repl.GetString(name); !ok || got != a.Text(p) {
			t.Errorf("{%s} is %q (known: %t), want %q", name, got, ok, a.Text(p))
		}
		if !strings.Contains(string(source), "`{"+name+"}`") {
			t.Errorf("the documentation of the handler lacks {%s}", name)
		}
	}
}

func TestPlaceholdersAreOfTheLastDecision(t *testing.T) {
	t.Parallel()
	r := get(t, "/public")
	serve(newHandler(t, testRules, as("org:admin")), r)
	o := serve(newHandler(t, testRules, nobody), r)
	if id, known := o.repl.GetString("http.auth.user.id"); known {
		t.Errorf("the user of the decision before is still there: %q", id)
	}
	if got := o.placeholder("http.clerk.claims.sub"); got != "" {
		t.Errorf("a claim of the decision before is still there: %q", got)
	}
}

func TestShadowModeLetsPassAndSaysWhy(t *testing.T) {
	t.Parallel()
	config := testRules
	config.Mode = policy.Shadow
	o := serve(newHandler(t, config, as("org:member")), get(t, "/admin"))
	if o.upstream == nil || o.placeholder("http.clerk.shadow") != "role-missing" {
		t.Errorf("upstream called: %t, shadow %q", o.upstream != nil, o.placeholder("http.clerk.shadow"))
	}
}

func TestGRPCCallersGetAStatus(t *testing.T) {
	t.Parallel()
	r := received(t, "POST /admin HTTP/1.1\r\nHost: app.example.com\r\nContent-Type: application/grpc\r\n\r\n")
	r.ProtoMajor = 2
	o := serve(newHandler(t, testRules, as("org:member")), r)
	got := []string{o.Header().Get("Content-Type"), o.Header().Get("Grpc-Status"), o.Header().Get("Grpc-Message")}
	if diff := cmp.Diff([]string{"application/grpc", "7", "You do not have access to this."}, got); diff != "" || o.Code != http.StatusOK || o.Body.Len() > 0 {
		t.Errorf("status %d, body %q, fields (-want +got):\n%s", o.Code, o.Body, diff)
	}
}

func TestOurFieldsReplaceThoseThatContradictThem(t *testing.T) {
	t.Parallel()
	r := get(t, "/admin")
	o := serve(chained{newHandler(t, testRules, as("org:member")), func(w http.ResponseWriter) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Vary", "Accept-Encoding")
	}}, r)
	if got := o.Header().Values("Cache-Control"); !cmp.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control %q", got)
	}
	if len(o.Header().Values("Vary")) != 2 || o.Header().Get("Set-Cookie") != "a=b" {
		t.Errorf("Vary %q, Set-Cookie %q", o.Header().Values("Vary"), o.Header().Values("Set-Cookie"))
	}
}

// chained is our handler with something before it.
type chained struct {
	*Handler
	before func(w http.ResponseWriter)
}

func (c chained) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	c.before(w)
	return c.Handler.ServeHTTP(w, r, next)
}

// Error routes may show anything, or proxy to something: they get the status,
// and a request that carries no identity of the client's making.
func TestErrorRoutesTakeWhatTheyMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target   string
		routes   caddyhttp.RouteList
		returned int
		message  string
	}{
		"a route for everything":   {"/admin", caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{chained{Handler: new(Handler)}}}}, 403, "You do not have access to this."},
		"a route without handlers": {"/admin", caddyhttp.RouteList{subroute("*", subroute("*"))}, 0, ""},
		"a route of another site":  {"/admin", caddyhttp.RouteList{subroute("other.example.com", caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{chained{Handler: new(Handler)}}})}, 0, ""},
		"a route of this site":     {"/admin", caddyhttp.RouteList{subroute("app.example.com", caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{chained{Handler: new(Handler)}}})}, 403, "You do not have access to this."},
		"no routes":                {"/admin", nil, 0, ""},
		"what is hidden stays so":  {"/hidden", caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{chained{Handler: new(Handler)}}}}, 404, "Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(t, c.target)
			r.Header["X_user-Id"] = []string{"forged"}
			r.Header["X-Org-Role"] = []string{"forged"}
			server := &caddyhttp.Server{Errors: &caddyhttp.HTTPErrorConfig{Routes: c.routes}}
			addErrorGuard(server, caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{[]byte("{}")}}}, server.Errors) // as Provision does
			r = prepared(r, server)
			o := serve(newHandler(t, testRules, as("org:member")), r)
			if c.returned == 0 {
				if o.err != nil || o.Body.Len() == 0 {
					t.Errorf("error %v, body %q: want our answer", o.err, o.Body)
				}
				return
			}
			e, ok := errors.AsType[caddyhttp.HandlerError](o.err)
			if !ok || e.StatusCode != c.returned || e.Err.Error() != c.message {
				t.Errorf("error %v, want status %d and %q", o.err, c.returned, c.message)
			}
			if o.Body.Len() > 0 || o.Header().Get("Content-Type") != "" || o.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("body %q, fields %v: want the fields that are not about our body, and no body", o.Body, o.Header())
			}
			if len(r.Header) > 0 {
				t.Errorf("error routes see %v", r.Header)
			}
		})
	}
}

// subroute is a route for one host ("*": all) as the Caddyfile makes it.
func subroute(host string, routes ...caddyhttp.Route) caddyhttp.Route {
	route := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Routes: routes}}}
	if host != "*" {
		route.MatcherSets = caddyhttp.MatcherSets{{&caddyhttp.MatchHost{host}}}
	}
	return route
}

func TestTheLogTellsWhyAndNeverATokenOrClaim(t *testing.T) {
	t.Parallel()
	cause := errors.New("no answer")
	for name, c := range map[string]struct {
		who    signedIn
		target string
		level  zapcore.Level
		reason string
	}{
		"a pass":        {as("org:admin"), "/admin", zapcore.DebugLevel, "allowed"},
		"a refusal":     {as("org:member"), "/admin", zapcore.InfoLevel, "role-missing"},
		"a fault":       {signedIn{policy.AuthState{Status: policy.Unavailable, Cause: cause}}, "/admin", zapcore.ErrorLevel, "keys-unavailable"},
		"a public pass": {nobody, "/public", zapcore.DebugLevel, "public"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zapcore.DebugLevel)
			h := newHandler(t, testRules, c.who)
			h.logTo(core)
			r := get(t, c.target)
			r.Header.Set("Authorization", "Bearer secret-token")
			serve(h, r)
			entries := logs.All()
			if len(entries) != 1 || entries[0].Level != c.level || entries[0].ContextMap()["reason"] != c.reason {
				t.Fatalf("entries %+v, want one at %s with reason %s", entries, c.level, c.reason)
			}
			fields := entries[0].ContextMap()
			if c.level == zapcore.ErrorLevel && fields["cause"] != "no answer" {
				t.Errorf("cause %v", fields["cause"])
			}
			if text := cmp.Diff(nil, fields); strings.Contains(text, "secret-token") || strings.Contains(text, "claims") {
				t.Errorf("the log says too much: %v", fields)
			}
		})
	}
}
