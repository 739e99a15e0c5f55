package session

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/jwt"
)

const (
	suffixedSession = "__session_" + mint.Suffix
	suffixedUAT     = "__client_uat_" + mint.Suffix
	developmentKey  = "pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk"
)

// testBrowser is an authenticator and what it asks of Clerk.
type testBrowser struct {
	*Authenticator
	backend *sessiontest.Canned
}

func newBrowser(t *testing.T, cfg Config, answers ...sessiontest.Answer) *testBrowser {
	t.Helper()
	backend := &sessiontest.Canned{Answers: append(answers, sessiontest.Answer{
		Method: "GET", Path: "/v1/jwks", Status: http.StatusOK, Body: mint.KeySet(t, mint.JWK(mint.Kid, &mint.SigningKey().PublicKey)),
	})}
	if cfg.PublishableKey == "" {
		cfg.PublishableKey = mint.PublishableKey
	}
	cfg.SecretKey = "sk_live_x"
	if strings.HasPrefix(cfg.PublishableKey, "pk_test_") {
		cfg.SecretKey = "sk_test_x"
	}
	if cfg.AuthorizedParties == nil {
		cfg.AuthorizedParties = policy.StringList{"https://app.example.com"}
	}
	a, err := New(cfg, Options{HTTPClient: &http.Client{Transport: backend}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return &testBrowser{a, backend}
}

func (b *testBrowser) load(t *testing.T, r *policy.Request) policy.AuthState {
	t.Helper()
	return b.Authenticate(t.Context(), r, sessionsOnly, now)
}

func answerOf(path string, status int, body any) sessiontest.Answer {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	method := "GET"
	if strings.HasSuffix(path, "/refresh") {
		method = "POST"
	}
	return sessiontest.Answer{Method: method, Path: path, Status: status, Body: data}
}

const nonceFor = "/v1/clients/handshake_payload"

// signedInCookies are those of a browser that is signed in.
func signedInCookies(token string) string {
	return "__session=" + token + "; __client_uat=" + strconv.FormatInt(now.Unix()-100, 10)
}

func TestAHandshakeLeadsToTheFrontendAPIAndBack(t *testing.T) {
	t.Parallel()
	expired := mint.Token(t, object{"exp": now.Unix() - 60})
	b := newBrowser(t, Config{})
	got := b.load(t, sessiontest.Navigation("/a/b?x=1&__clerk_db_jwt=d&__clerk_handshake_nonce=n", signedInCookies(expired)))
	if got.Status != policy.Handshake || got.Reason != policy.ReasonExpiredNoRefreshCookie {
		t.Fatalf("%+v", got)
	}
	location, err := url.Parse(sessiontest.HeaderOf(got.Headers, "Location"))
	if err != nil {
		t.Fatal(err)
	}
	query := location.Query()
	if location.Host != "clerk.example.com" || location.Path != "/v1/client/handshake" || query.Get("__session") != expired {
		t.Errorf("%v", location)
	}
	if back := query.Get("redirect_url"); back != "https://app.example.com/a/b?x=1" {
		t.Errorf("back to %q", back)
	}
	if cookie := sessiontest.HeaderOf(got.Headers, "Set-Cookie"); cookie != "__clerk_redirect_count=1; Path=/; SameSite=Lax; HttpOnly; Max-Age=10; Secure" {
		t.Errorf("%q", cookie)
	}
}

func TestWhoIsSentToAHandshake(t *testing.T) {
	t.Parallel()
	uat := "__client_uat=" + strconv.FormatInt(now.Unix(), 10)
	page := func(change func(*policy.Request)) *policy.Request {
		r := sessiontest.Navigation("/", uat)
		change(r)
		return r
	}
	tests := []struct {
		name string
		r    *policy.Request
		want policy.AuthStatus
	}{
		{"a page", page(func(*policy.Request) {}), policy.Handshake},
		{"a frame", page(func(r *policy.Request) { r.Headers[0].Value = "iframe" }), policy.Handshake},
		{"an old browser's page", page(func(r *policy.Request) { r.Headers[0].Value = "" }), policy.Handshake},
		{"a script's call", page(func(r *policy.Request) { r.Headers[0].Value = "empty" }), policy.SignedOut},
		{"a form", page(func(r *policy.Request) { r.Method = "POST" }), policy.SignedOut},
		{"a question for headers", page(func(r *policy.Request) { r.Method = "HEAD" }), policy.SignedOut},
		{"a host that is not ours", page(func(r *policy.Request) { r.Host = "evil.com" }), policy.SignedOut},
		{"a host that is no name", page(func(r *policy.Request) { r.Host = "app.example.com@evil.com" }), policy.SignedOut},
		{"a target of another host", page(func(r *policy.Request) { r.Target = "https://evil.com/" }), policy.SignedOut},
		{"a target that breaks out", page(func(r *policy.Request) { r.Target = "/\\evil.com" }), policy.SignedOut},
		{"two handshakes before", sessiontest.Navigation("/", uat+"; __clerk_redirect_count=2"), policy.Handshake},
		{"three handshakes before", sessiontest.Navigation("/", uat+"; __clerk_redirect_count=3"), policy.SignedOut},
		{"many handshakes before", sessiontest.Navigation("/", uat+"; __clerk_redirect_count=4"), policy.SignedOut},
		{"two sessions", sessiontest.Navigation("/", "__session="+mint.Token(t, nil)+"; "+suffixedSession+"="+mint.Token(t, object{"sid": "sess_other"})), policy.Handshake},
	}
	b := newBrowser(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.load(t, tt.r)
			if got.Status != tt.want || (sessiontest.HeaderOf(got.Headers, "Location") != "") != (tt.want == policy.Handshake) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestANonceSignsInAndIsForwardedAsCookies(t *testing.T) {
	t.Parallel()
	token := mint.Token(t, nil)
	b := newBrowser(t, Config{}, answerOf(nonceFor, http.StatusOK, object{"directives": []string{
		"__client_uat=5; Path=/; Domain=example.com", suffixedSession + "=" + token + "; Path=/", "__clerk_handshake_nonce=; Max-Age=0", "__old=; Path=/",
	}}))
	got := b.load(t, sessiontest.Navigation("/", "theme=dark; __client_uat=0; __old=1; __clerk_handshake_nonce=n1; __session=stale; "+sessiontest.Sent))
	if got.Status != policy.SignedIn || got.Principal.UserID != "user_2member" || got.Forward == nil {
		t.Fatalf("%+v", got)
	}
	if want := "theme=dark; __session=stale; __client_uat=5; " + suffixedSession + "=" + token; got.Forward.Cookie != want {
		t.Errorf("the upstream receives %q", got.Forward.Cookie)
	}
	if !slices.Contains(got.Forward.RemoveQuery, "__clerk_handshake_nonce") || !slices.Contains(got.Forward.RemoveQuery, "__clerk_handshake") {
		t.Errorf("%q", got.Forward.RemoveQuery)
	}
	if n := len(got.Headers); n != 6 || sessiontest.HeaderOf(got.Headers, "Access-Control-Allow-Origin") != "" || sessiontest.HeaderOf(got.Headers, "Location") != "" {
		t.Errorf("%+v", got.Headers)
	}
}

func TestWhereTheAnswerOfAHandshakeCounts(t *testing.T) {
	t.Parallel()
	directives := []string{"__session=" + mint.Token(t, nil) + "; Path=/"}
	good := sessiontest.HandshakeAnswer(t, object{"handshake": directives})
	recent := sessiontest.HandshakeAnswer(t, object{"handshake": directives, "iat": now.Unix() - 20})
	old := sessiontest.HandshakeAnswer(t, object{"handshake": directives, "iat": now.Unix() - 3600})
	forged := mint.Signed(t, mint.OtherKey(), mint.JSONSegment(t, mint.Header), mint.JSONSegment(t, object{"handshake": directives}))
	expired := sessiontest.HandshakeAnswer(t, object{"handshake": []string{"__session=" + mint.Token(t, object{"exp": now.Unix() - 900})}})
	split := sessiontest.HandshakeAnswer(t, object{"handshake": append(directives, "a=b\r\nSet-Cookie: c=d")})
	script := sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+good)
	script.Headers[0].Value = "empty"
	tests := []struct {
		name   string
		r      *policy.Request
		signed bool
	}{
		{"in a cookie", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+good), true},
		{"made just now", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+recent), true},
		{"made an hour ago", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+old), false},
		{"in a link", sessiontest.Navigation("/?__clerk_handshake="+good, sessiontest.Sent), false},
		{"in a script's call", script, false},
		{"forged", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+forged), false},
		{"with an expired session", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+expired), false},
		{"with a header in a cookie", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+split), false},
		{"a session token is none", sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+mint.Token(t, nil)), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newBrowser(t, Config{}).load(t, tt.r)
			if (got.Status == policy.SignedIn) != tt.signed {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestANonceThatYieldsNothingIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	for range 3 {
		got := b.load(t, sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake_nonce=spent; "+signedInCookies(mint.Token(t, nil))))
		if got.Status != policy.SignedIn {
			t.Fatalf("%+v", got)
		}
	}
	if n := len(b.backend.Asked(nonceFor)); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

const refreshPath = "/v1/sessions/sess_2session/refresh"

func TestAnExpiredSessionIsRefreshed(t *testing.T) {
	t.Parallel()
	expired, fresh := mint.Token(t, object{"exp": now.Unix() - 60}), mint.Token(t, nil)
	b := newBrowser(t, Config{}, answerOf(refreshPath, http.StatusOK, object{"cookies": []string{"__session=" + fresh + "; Path=/"}}))
	r := sessiontest.Navigation("/", signedInCookies(expired)+"; __refresh_"+mint.Suffix+"=r1", "X-Internal", "secret", "User-Agent", "test")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := b.Authenticate(t.Context(), r, sessionsOnly, now)
			if got.Status != policy.SignedIn || sessiontest.HeaderOf(got.Headers, "Set-Cookie") != "__session="+fresh+"; Path=/" {
				t.Errorf("%+v", got)
			}
			if got.Forward == nil || !strings.Contains(got.Forward.Cookie, fresh) || strings.Contains(got.Forward.Cookie, expired) {
				t.Errorf("%+v", got.Forward)
			}
		})
	}
	wg.Wait()
	for _, call := range b.backend.Asked(refreshPath) {
		body := call.Body.(map[string]any)
		sent := body["request_headers"].(map[string]any)
		if body["refresh_token"] != "r1" || body["request_origin"] != "https://app.example.com" || sent["user-agent"] == nil || len(sent) != 1 {
			t.Errorf("%+v", body)
		}
	}
}

func TestWhyASessionIsNotRefreshed(t *testing.T) {
	t.Parallel()
	expired := object{"exp": now.Unix() - 60}
	refresh := "; __refresh_" + mint.Suffix + "=r1"
	code := object{"errors": []object{{"code": "invalid_refresh_token"}}}
	post := sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+refresh)
	post.Method = "POST"
	odd := mint.Token(t, mint.With(expired, object{"sid": "sess_a.b"}))
	tests := []struct {
		name   string
		r      *policy.Request
		answer sessiontest.Answer
		want   policy.Reason
	}{
		{"no refresh cookie", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))), sessiontest.Answer{}, policy.ReasonExpiredNoRefreshCookie},
		{"one without suffix", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+"; __refresh=r1"), sessiontest.Answer{}, policy.ReasonExpiredNoRefreshCookie},
		{"a form", post, sessiontest.Answer{}, policy.ReasonExpiredNotGet},
		{"an id that is none", sessiontest.Navigation("/", signedInCookies(odd)+refresh), sessiontest.Answer{}, policy.ReasonExpiredNoSessionID},
		{"Clerk refuses", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+refresh), answerOf(refreshPath, http.StatusUnauthorized, code), policy.ReasonExpiredRefreshRefused},
		{"Clerk has none", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+refresh), answerOf(refreshPath, http.StatusOK, object{"cookies": []string{}}), policy.ReasonExpiredRefreshEmpty},
		{"Clerk is away", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+refresh), sessiontest.Answer{Method: "POST", Path: refreshPath, NetworkError: true}, policy.ReasonExpiredRefreshFailed},
		{"the new one has expired too", sessiontest.Navigation("/", signedInCookies(mint.Token(t, expired))+refresh), answerOf(refreshPath, http.StatusOK, object{"cookies": []string{"__session=" + mint.Token(t, expired)}}), policy.ReasonExpiredRefreshedInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newBrowser(t, Config{}, tt.answer).load(t, tt.r)
			if got.Reason != tt.want || got.Status == policy.SignedIn {
				t.Errorf("%+v", got)
			}
			if got.Reason.Status() != http.StatusUnauthorized {
				t.Errorf("status %d", got.Reason.Status())
			}
		})
	}
}

func TestAnExpiredBearerIsNotSentAnywhere(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	got := b.load(t, sessiontest.Navigation("/", "__refresh_"+mint.Suffix+"=r1", "Authorization", "Bearer "+mint.Token(t, object{"exp": now.Unix() - 60})))
	if got.Status != policy.SignedOut || got.Reason != policy.ReasonSessionExpired || len(got.Headers) != 0 || len(b.backend.Asked(refreshPath)) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestASignedInBrowserCostsAtMostOneCall(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	r := sessiontest.Navigation("/page?x=1", signedInCookies(mint.Token(t, nil)), "Referer", "https://app.example.com/")
	for i := range 5 {
		if got := b.load(t, r); got.Status != policy.SignedIn {
			t.Fatalf("%+v", got)
		}
		if n := len(b.backend.Calls); n != 1 {
			t.Fatalf("%d calls after request %d", n, i+1)
		}
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	token := mint.Token(t, nil)
	script := sessiontest.Navigation("/", signedInCookies(token))
	script.Headers[0].Value = "empty"
	for name, tt := range map[string]struct {
		r    *policy.Request
		want policy.AuthStatus
	}{
		"a page":                {sessiontest.Navigation("/", signedInCookies(token)), policy.Handshake},
		"a script's call":       {script, policy.SignedOut},
		"a bearer":              {sessiontest.Navigation("/", "", "Authorization", "Bearer "+token), policy.SignedOut},
		"after many handshakes": {sessiontest.Navigation("/", signedInCookies(token)+"; __clerk_redirect_count=3"), policy.SignedOut},
	} {
		got := b.Renew(t.Context(), tt.r, policy.ReasonSessionRevoked, now)
		if got.Status != tt.want || got.Reason != policy.ReasonSessionRevoked || got.Principal != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOrganizationSync(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{OrganizationSync: &OrganizationSync{Organization: policy.StringList{"/orgs/:slug", "/orgs/:slug/(.*)", "/by-id/:id"}, Personal: policy.StringList{"/me"}}})
	for path, asked := range map[string]string{
		"/orgs/acme": "", "/orgs/acme/x": "", "/orgs/other": "other", "/by-id/org_2acme": "", "/by-id/org_x": "org_x", "/me": "personal", "/elsewhere": "",
	} {
		got := b.load(t, sessiontest.Navigation(path, signedInCookies(mint.Token(t, nil))))
		query := ""
		if location, err := url.Parse(sessiontest.HeaderOf(got.Headers, "Location")); err == nil && location.Host != "" {
			query = location.Query().Get("organization_id")
			if query == "" && location.Query().Has("organization_id") {
				query = "personal"
			}
		}
		if query != asked || (got.Status == policy.Handshake) != (asked != "") {
			t.Errorf("%s: %q, %+v", path, query, got)
		}
	}
}

func TestAPrimaryAnswersItsSatellitesAlone(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{PublishableKey: developmentKey, AuthorizedParties: policy.StringList{"https://app.example.com", "https://sat.example"}})
	for to, answered := range map[string]bool{
		"https://sat.example/page": true, "https://evil.example/": false, "//sat.example/": false, "/page": false,
		"https://sat.example@evil.example/": false, "https://sat.example\\@evil.example/": false, "javascript:alert(1)": false,
	} {
		got := b.load(t, sessiontest.Navigation("/?__clerk_redirect_url="+url.QueryEscape(to), "__clerk_db_jwt=d1"))
		location := sessiontest.HeaderOf(got.Headers, "Location")
		if strings.HasPrefix(location, "https://sat.example/page?__clerk_db_jwt=d1&__clerk_synced=true") != answered || !answered && location != "" {
			t.Errorf("%q: %+v", to, got)
		}
	}
}

func TestKeysThatCannotBeHadAreNoSignOut(t *testing.T) {
	t.Parallel()
	a, err := New(Config{PublishableKey: mint.PublishableKey}, Options{KeySet: jwttest.BrokenKeys{Err: jwt.ErrKeysUnavailable}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cookies := range []string{signedInCookies(mint.Token(t, nil)), "__clerk_handshake=" + sessiontest.HandshakeAnswer(t, object{"handshake": []string{}}) + "; __session=" + mint.Token(t, nil)} {
		if got := a.Authenticate(t.Context(), sessiontest.Navigation("/", cookies), sessionsOnly, now); got.Status != policy.Unavailable {
			t.Errorf("%+v", got)
		}
	}
}
