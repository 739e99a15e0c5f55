package clerktest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// authenticate asks the real authenticator about a bearer token.
func authenticate(t *testing.T, a *session.Authenticator, token string) policy.AuthState {
	t.Helper()
	r := &policy.Request{Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + token}}}
	return a.Authenticate(t.Context(), r, policy.TokenTypes{policy.SessionToken}, time.Now())
}

func newAuthenticator(t *testing.T, i *Instance, change func(*session.Config)) *session.Authenticator {
	t.Helper()
	config := session.Config{PublishableKey: i.PublishableKey(), SecretKey: i.SecretKey(), APIURL: i.URL(), SignInURL: i.SignInURL()}
	if change != nil {
		change(&config)
	}
	a, err := session.New(config, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestTokensHoldForARealAuthenticator(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Origins: []string{"http://localhost:8080"}})
	a := newAuthenticator(t, i, func(c *session.Config) { c.AuthorizedParties = policy.StringList{"http://localhost:8080"} })
	ada, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	for name, version1 := range map[string]bool{"v2": false, "v1": true} {
		state := authenticate(t, a, i.Mint(ada, Token{Version1: version1}))
		p := state.Principal
		if state.Status != policy.SignedIn || p.UserID != "user_ada" || p.SessionID != ada.ID || p.OrgRole != "org:admin" {
			t.Fatalf("%s: %+v", name, state)
		}
		if !slices.Equal(p.OrgPermissions, []string{"org:reports:read", "org:reports:manage"}) {
			t.Errorf("%s: permissions %v", name, p.OrgPermissions)
		}
	}
	for name, c := range map[string]struct {
		token  Token
		reason policy.Reason
	}{
		"expired":   {Token{Age: time.Hour}, policy.ReasonSessionExpired},
		"stranger":  {Token{Stranger: true}, policy.ReasonTokenSignature},
		"unsigned":  {Token{Unsigned: true}, policy.ReasonTokenInvalid},
		"no kid":    {Token{Header: map[string]any{"kid": nil}}, policy.ReasonKidMismatch},
		"no exp":    {Token{Claims: map[string]any{"exp": nil}}, policy.ReasonTokenVerification},
		"other azp": {Token{Claims: map[string]any{"azp": "https://other.example"}}, policy.ReasonTokenParties},
		"template":  {Token{Header: map[string]any{"cat": "cl_B7d4PD222AAA"}}, policy.ReasonTokenType},
		"pending":   {Token{Claims: map[string]any{"sts": "pending"}}, policy.ReasonSessionPending},
	} {
		if state := authenticate(t, a, i.Mint(ada, c.token)); state.Reason != c.reason {
			t.Errorf("%s: %s, want %s (%v)", name, state.Reason, c.reason, state.Cause)
		}
	}
	if calls := i.Calls("GET /v1/jwks"); calls != 1 {
		t.Errorf("keys were fetched %d times", calls)
	}
}

func TestTheBackendWantsTheSecretKey(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	s, err := i.SignIn("user_sol")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, key string
		status    int
		body      string
	}{
		{"/v1/jwks", "sk_test_wrong", 401, "clerk_key_invalid"},
		{"/v1/jwks", i.SecretKey(), 200, i.KeyID()},
		{"/.well-known/jwks.json", "", 200, i.KeyID()},
		{"/v1/sessions/" + s.ID, i.SecretKey(), 200, `"status":"active"`},
		{"/v1/sessions/sess_none", i.SecretKey(), 404, "resource_not_found"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.key)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(body), c.body) || !json.Valid(body) {
			t.Errorf("%s: %d %s", c.path, response.StatusCode, body)
		}
	}
}

func TestSigningInSetsCookiesAndReturnsToTheAppAlone(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Addr: "localhost:0", Origins: []string{"http://localhost:8080"}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for back, want := range map[string]string{
		"http://localhost:8080/dashboard?x=1": "http://localhost:8080/dashboard?x=1",
		"https://evil.example/":               "http://localhost:8080/",
		"//evil.example":                      "http://localhost:8080/",
	} {
		response, err := client.PostForm(i.SignInURL(), url.Values{"user": {"user_ada"}, "redirect_url": {back}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%s: %d to %s, want %s", back, response.StatusCode, got, want)
		}
	}
	base, err := url.Parse(i.URL())
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, i, nil)
	var header []policy.Header
	for _, c := range jar.Cookies(base) {
		header = append(header, policy.Header{Name: "Cookie", Value: c.Name + "=" + c.Value})
	}
	if state := a.Authenticate(t.Context(), &policy.Request{Headers: header}, policy.TokenTypes{policy.SessionToken}, time.Now()); state.Status != policy.SignedIn {
		t.Errorf("the cookies sign nobody in: %+v", state)
	}
}

func TestAFormOfAnotherSiteSignsNobodyIn(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Origins: []string{"http://localhost:8080"}})
	for origin, want := range map[string]int{
		"":                      http.StatusSeeOther, // no browser
		i.URL():                 http.StatusSeeOther,
		"http://localhost:8080": http.StatusSeeOther,
		"https://evil.example":  http.StatusForbidden,
		"null":                  http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodPost, i.SignInURL(), strings.NewReader("user=user_ada"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		i.handler.ServeHTTP(w, r)
		if w.Code != want || (len(w.Result().Cookies()) > 0) != (want == http.StatusSeeOther) {
			t.Errorf("%q: %d with cookies %v", origin, w.Code, w.Result().Cookies())
		}
	}
}

func TestTheFormIsBounded(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, i.SignInURL(), strings.NewReader("user=user_ada&x="+strings.Repeat("x", maxForm)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if i.handler.ServeHTTP(w, r); w.Code != http.StatusBadRequest || len(w.Result().Cookies()) > 0 {
		t.Errorf("%d with cookies %v", w.Code, w.Result().Cookies())
	}
}

func TestSigningOutLeavesNoSession(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Origins: []string{"http://127.0.0.1:8080"}})
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, i.URL()+"/sign-out", nil))
	left := map[string]string{}
	for _, c := range w.Result().Cookies() {
		if c.Name == "__client" || c.Name == "__clerk_db_jwt" {
			continue // they name the browser
		}
		if c.Domain != "" || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %v", c)
		}
		if c.MaxAge >= 0 {
			left[c.Name] = c.Value
		}
	}
	if want := map[string]string{"__client_uat": "0"}; !maps.Equal(left, want) {
		t.Errorf("left with %v", left)
	}
}

func TestThePageListsThePeopleAndEscapesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Origins: []string{"http://localhost:8080"}})
	w := httptest.NewRecorder()
	back := url.QueryEscape(`http://localhost:8080/"><script>`)
	i.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, i.SignInURL()+"?redirect_url="+back, nil))
	page := w.Body.String()
	for _, u := range i.Users() {
		if !strings.Contains(page, `value="`+u.ID+`"`) {
			t.Errorf("%s is not on the page", u.ID)
		}
	}
	if strings.Contains(page, "<script") {
		t.Error("the address is on the page as it came")
	}
}

func TestTheGateLearnsWhenASessionBegan(t *testing.T) {
	t.Parallel()
	began := time.UnixMilli(1_750_000_000_123)
	i := Start(t, Options{Now: func() time.Time { return began }})
	s, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.NewSessions(session.Config{PublishableKey: i.PublishableKey(), SecretKey: i.SecretKey(), APIURL: i.URL()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sessions.CreatedAt(t.Context(), s.ID); err != nil || !got.Equal(began) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := sessions.CreatedAt(t.Context(), "sess_none"); err == nil {
		t.Error("a session that is not there began")
	}
	if n := i.Calls("GET /v1/sessions/{id}"); n != 2 {
		t.Errorf("%d calls were counted", n)
	}
	i.EndSession(s.ID)
	if got := i.Session(s.ID); got.Status != "ended" {
		t.Errorf("status %q", got.Status)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	first, _ := i.SignIn("user_ada")
	for range maxSessions {
		if _, err := i.SignIn("user_sol"); err != nil {
			t.Fatal(err)
		}
	}
	if i.Session(first.ID) != nil || len(i.sessions) != maxSessions {
		t.Errorf("%d sessions are kept", len(i.sessions))
	}
}

func TestWhatMakesNoInstance(t *testing.T) {
	t.Parallel()
	taken := Start(t, Options{})
	for name, o := range map[string]Options{
		"an origin with a path": {Origins: []string{"http://localhost:8080/"}},
		"an origin of no site":  {Origins: []string{"localhost:8080"}},
		"a taken address":       {Addr: strings.TrimPrefix(taken.URL(), "http://")},
	} {
		if i, err := New(o); err == nil {
			i.Close()
			t.Errorf("%s makes an instance", name)
		}
	}
	if _, err := taken.SignIn("user_none"); err == nil {
		t.Error("somebody who is not there signs in")
	}
}

func TestCallsThatCannotHappenAreNotCounted(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	defer func() {
		if recover() == nil {
			t.Error("an endpoint that is not there was counted")
		}
	}()
	i.Calls("GET /v1/jwsk")
}

func TestARemovedKeyIsFoundByNobody(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	i.RemoveKey(i.RotateKey())
	s, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	if state := authenticate(t, newAuthenticator(t, i, nil), i.Mint(s, Token{})); state.Reason != policy.ReasonKidMismatch {
		t.Errorf("%+v", state)
	}
}

func TestRotationPublishesBothKeysUntilOneIsRemoved(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	first := i.KeyID()
	second := i.RotateKey()
	if keys := i.JWKS().Keys; len(keys) != 2 || i.KeyID() != second {
		t.Fatalf("%d keys, signing with %s", len(keys), i.KeyID())
	}
	i.RemoveKey(first)
	if keys := i.JWKS().Keys; len(keys) != 1 || keys[0].KeyID != second {
		t.Errorf("keys are %v", keys)
	}
}
