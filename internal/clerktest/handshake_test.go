package clerktest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/clerkgate/clerkgate/session"
)

const devApp = "http://localhost:8080"

func devInstance(t *testing.T, change func(*Options)) *Instance {
	t.Helper()
	o := Options{FrontendURL: Itself, Origins: []string{devApp}, Handshake: ByToken}
	if change != nil {
		change(&o)
	}
	return Start(t, o)
}

// handshake is the address of one.
func handshake(i *Instance, more url.Values) string {
	q := url.Values{"redirect_url": {devApp + "/x?y=1"}, "suffixed_cookies": {"true"}}
	for name, values := range more {
		q[name] = values
	}
	return i.FrontendURL() + "/v1/client/handshake?" + q.Encode()
}

// linesOf reads a handshake, by its token or its nonce.
func linesOf(t *testing.T, i *Instance, token, nonce string) []string {
	t.Helper()
	if token == "" {
		status, body := backend(t, i, http.MethodGet, "/v1/clients/handshake_payload?nonce="+nonce, "")
		var payload struct{ Directives []string }
		if err := json.Unmarshal(body, &payload); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return payload.Directives
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	body, err := signed.Verify(i.JWKS().Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var payload struct{ Handshake []string }
	if err := json.Unmarshal(body, &payload); err != nil {
		t.Fatal(err)
	}
	return payload.Handshake
}

// backend asks the Backend API.
func backend(t *testing.T, i *Instance, method, path, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, i.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+i.SecretKey())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// subject is whom a token is of, and with which organization.
func subject(t *testing.T, i *Instance, token string) (user, organization string) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	body, err := signed.Verify(i.JWKS().Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Sub string
		O   struct{ Slg string }
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Sub, claims.O.Slg
}

func TestAHandshakeSignsADevelopmentAppIn(t *testing.T) {
	t.Parallel()
	for name, carrier := range map[string]Carrier{"by token": ByToken, "by nonce": ByNonce} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := devInstance(t, func(o *Options) { o.Handshake = carrier })
			b := newBrowser(t, i)
			suffix := "_" + session.CookieSuffix(i.PublishableKey())

			first := b.follow(handshake(i, nil), nil)
			lines := linesOf(t, i, first.Query().Get("__clerk_handshake"), first.Query().Get("__clerk_handshake_nonce"))
			b.take(devApp, lines)
			got := b.cookies(devApp)
			if got["__client_uat"] != "0" || got["__session"] != "" || !strings.HasPrefix(got["__clerk_db_jwt"+suffix], "dvb_") {
				t.Errorf("a first visit leaves %v", got)
			}
			if first.Path != "/x" || first.Query().Get("y") != "1" {
				t.Errorf("sent back to %s", first)
			}

			back := b.follow(i.SignInURL()+"?redirect_url="+url.QueryEscape(devApp+"/x"), url.Values{"user": {"user_ada"}})
			known := back.Query().Get("__clerk_db_jwt")
			if known == "" {
				t.Fatalf("sent back to %s, which learns nothing", back)
			}
			// Another site's page cannot send the cookie, but names the browser.
			stranger := newBrowser(t, i)
			second := stranger.follow(handshake(i, url.Values{"__clerk_db_jwt": {known}}), nil)
			b.take(devApp, linesOf(t, i, second.Query().Get("__clerk_handshake"), second.Query().Get("__clerk_handshake_nonce")))
			got = b.cookies(devApp)
			for _, name := range []string{"__session", "__session" + suffix} {
				if user, organization := subject(t, i, got[name]); user != "user_ada" || organization != "acme" {
					t.Errorf("%s is of %q in %q", name, user, organization)
				}
			}
			if got["__client_uat"] == "0" || got["__refresh"+suffix] == "" || got["__refresh"] != "" {
				t.Errorf("signing in leaves %v", got)
			}
		})
	}
}

func TestANonceIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	i := devInstance(t, func(o *Options) { o.Handshake, o.Now = ByNonce, func() time.Time { return now } })
	b := newBrowser(t, i)
	nonce := b.follow(handshake(i, nil), nil).Query().Get("__clerk_handshake_nonce")
	linesOf(t, i, "", nonce)
	late := b.follow(handshake(i, nil), nil).Query().Get("__clerk_handshake_nonce")
	now = now.Add(handedLifetime + time.Second)
	for what, nonce := range map[string]string{"used": nonce, "late": late, "unknown": "x"} {
		if status, body := backend(t, i, http.MethodGet, "/v1/clients/handshake_payload?nonce="+nonce, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
}

func TestAHandshakeLeadsToAppsAlone(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	for _, back := range []string{"https://evil.example/", "//evil.example", "javascript:alert(1)", "http://localhost:8080@evil.example/", ""} {
		response := newBrowser(t, i).ask(handshake(i, url.Values{"redirect_url": {back}}), nil)
		if response.StatusCode != http.StatusBadRequest || response.Header.Get("Location") != "" {
			t.Errorf("%q: %d to %q", back, response.StatusCode, response.Header.Get("Location"))
		}
	}
	response := newBrowser(t, i).ask(handshake(i, nil), url.Values{})
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %d", response.StatusCode)
	}
}

func TestAHandshakeActivatesTheOrganizationThatAPathNames(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	b := newBrowser(t, i)
	b.follow(i.SignInURL(), url.Values{"user": {"user_ada"}})
	for _, c := range []struct{ asked, want string }{
		{"bolt", "bolt"}, {"org_acme", "acme"}, {"nobodys", "acme"}, {"", ""},
	} {
		back := b.follow(handshake(i, url.Values{"organization_id": {c.asked}}), nil)
		b.take(devApp, linesOf(t, i, back.Query().Get("__clerk_handshake"), ""))
		if _, organization := subject(t, i, b.cookies(devApp)["__session"]); organization != c.want {
			t.Errorf("%q activates %q", c.asked, organization)
		}
	}
}

func TestAProductionHandshakeComesInACookieOfTheSite(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Host: "clerk.example.test", Live: true, TLS: true, Satellites: []string{"sat.test"}, Handshake: ByToken})
	b := newBrowser(t, i)
	app := "https://app.example.test/x"
	b.follow("https://clerk.example.test/sign-in?redirect_url="+url.QueryEscape(app), url.Values{"user": {"user_max"}})
	if got := b.cookies(app); got["__client_uat"] == "0" || got["__client_uat"] == "" || got["__client"] != "" {
		t.Errorf("after signing in the app gets %v", got)
	}
	back := b.follow(i.FrontendURL()+"/v1/client/handshake?redirect_url="+url.QueryEscape(app), nil)
	if back.String() != app {
		t.Errorf("sent to %s", back)
	}
	token := b.cookies(app)["__clerk_handshake"]
	b.take(app, linesOf(t, i, token, ""))
	got := b.cookies(app)
	if user, _ := subject(t, i, got["__session"]); user != "user_max" || got["__clerk_handshake"] != "" {
		t.Errorf("the handshake leaves %v", got)
	}
	for _, elsewhere := range []string{"https://other.test/", "https://sat.test/"} {
		if len(b.cookies(elsewhere)) > 0 {
			t.Errorf("%s gets %v", elsewhere, b.cookies(elsewhere))
		}
	}

	satellite := "https://sat.test/y"
	back = b.follow("https://clerk.sat.test/v1/client/handshake?__clerk_hs_reason=satellite-needs-syncing&redirect_url="+url.QueryEscape(satellite), nil)
	b.take(satellite, linesOf(t, i, b.cookies(satellite)["__clerk_handshake"], ""))
	if user, _ := subject(t, i, b.cookies(satellite)["__session"]); user != "user_max" || back.String() != satellite+"?__clerk_synced=true" {
		t.Errorf("the satellite's page %s has %q", back, user)
	}
	if n := i.Calls("GET /v1/client/sync"); n != 1 {
		t.Errorf("synced %d times", n)
	}
	b.follow("https://clerk.sat.test/v1/client/handshake?redirect_url="+url.QueryEscape(satellite), nil)
	if n := i.Calls("GET /v1/client/sync"); n != 1 {
		t.Errorf("a browser that is known synced again, %d times", n)
	}
}

func TestALinkIsOfOneSatelliteAndUsedOnce(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Host: "clerk.example.test", Live: true, TLS: true, Satellites: []string{"sat.test"}})
	b := newBrowser(t, i)
	back := "redirect_url=" + url.QueryEscape("https://sat.test/")
	if response := b.ask("https://clerk.example.test/v1/client/sync?link_domain=evil.test&"+back, nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("a stranger's domain: %d", response.StatusCode)
	}
	to, err := b.ask("https://clerk.example.test/v1/client/sync?link_domain=sat.test&"+back, nil).Location()
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{http.StatusTemporaryRedirect, http.StatusBadRequest} {
		if response := newBrowser(t, i).ask(to.String(), nil); response.StatusCode != want {
			t.Errorf("use %d: %d", n, response.StatusCode)
		}
	}
}

func TestADevelopmentSatelliteIsAnsweredByTheSignInPage(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	b := newBrowser(t, i)
	to := b.follow(i.SignInURL()+"?__clerk_redirect_url="+url.QueryEscape(devApp+"/z?__clerk_synced=false"), nil)
	if q := to.Query(); q.Get("__clerk_synced") != "true" || q.Get("__clerk_db_jwt") == "" || to.Path != "/z" {
		t.Errorf("sent to %s", to)
	}
	response := b.ask(i.SignInURL()+"?__clerk_redirect_url=https%3A%2F%2Fevil.example%2F", nil)
	if response.StatusCode != http.StatusBadRequest || response.Header.Get("Location") != "" {
		t.Errorf("a stranger is told: %d", response.StatusCode)
	}
}

func TestRefreshingRenewsTheTokenOfASessionThatGoesOn(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	suffix := "_" + session.CookieSuffix(i.PublishableKey())
	b := newBrowser(t, i)
	b.follow(i.SignInURL(), url.Values{"user": {"user_ada"}})
	back := b.follow(handshake(i, nil), nil)
	b.take(devApp, linesOf(t, i, back.Query().Get("__clerk_handshake"), ""))
	refresh := b.cookies(devApp)["__refresh"+suffix]
	s := i.sessions[0]
	ask := func(id, expired, refresh, origin string) (int, string) {
		body := encode(map[string]any{"expired_token": expired, "refresh_token": refresh, "request_origin": origin, "format": "cookie"})
		status, answer := backend(t, i, http.MethodPost, "/v1/sessions/"+id+"/refresh?suffixed_cookies=true", string(body))
		return status, string(answer)
	}
	expired := i.Mint(i.Session(s.id), Token{Age: time.Hour})
	other, err := i.SignIn("user_max")
	if err != nil {
		t.Fatal(err)
	}
	status, answer := ask(s.id, expired, refresh, devApp)
	var renewed struct{ Cookies []string }
	if err := json.Unmarshal([]byte(answer), &renewed); err != nil || status != http.StatusOK || len(renewed.Cookies) != 2 {
		t.Fatalf("%d %s", status, answer)
	}
	b.take(devApp, renewed.Cookies)
	if user, _ := subject(t, i, b.cookies(devApp)["__session"+suffix]); user != "user_ada" {
		t.Errorf("renewed for %q", user)
	}
	refusals := map[string]struct {
		id, expired, refresh, origin, code string
	}{
		"another's session":     {other.ID, expired, refresh, devApp, "invalid_expired_token"},
		"a stranger's token":    {s.id, i.Mint(i.Session(s.id), Token{Stranger: true}), refresh, devApp, "invalid_expired_token"},
		"no refresh token":      {s.id, expired, "", devApp, "invalid_refresh_token"},
		"an app that is no app": {s.id, expired, refresh, "https://evil.example", "invalid_request_origin"},
	}
	for name, c := range refusals {
		if status, answer := ask(c.id, c.expired, c.refresh, c.origin); status < 400 || !strings.Contains(answer, c.code) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	i.RevokeSession(s.id)
	if status, answer := ask(s.id, expired, refresh, devApp); status != http.StatusUnauthorized || !strings.Contains(answer, "invalid_refresh_token") {
		t.Errorf("a session that ended: %d %s", status, answer)
	}
}

func TestCookiesOfAnInstanceInProduction(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Host: "clerk.example.test", Live: true})
	c := i.newClient()
	if _, _, err := i.signIn(c, "user_sol"); err != nil {
		t.Fatal(err)
	}
	app, ok := i.app("https://app.example.test/")
	if !ok {
		t.Fatal("the site has no apps")
	}
	for _, line := range i.handshakeLines(c, app, true) {
		name, _, _ := strings.Cut(line, "=")
		attributes := strings.Split(line, "; ")[1:]
		ofSite := strings.HasPrefix(name, "__client_uat") || strings.HasPrefix(name, "__clerk_handshake")
		if slices.Contains(attributes, "Domain=example.test") != ofSite || !slices.Contains(attributes, "Secure") ||
			slices.Contains(attributes, "SameSite=Strict") != strings.HasPrefix(name, "__client_uat") {
			t.Errorf("%s has %q", name, attributes)
		}
	}
	for _, elsewhere := range []string{"http://app.example.test/", "https://example.test.evil/", "https://notexample.test/", "https://app.example.test:8443/"} {
		if _, ok := i.app(elsewhere); ok {
			t.Errorf("%s counts as an app", elsewhere)
		}
	}
}
