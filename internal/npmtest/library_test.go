package npmtest

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// visitor is a browser without a screen: it keeps cookies, follows redirects and
// says that it navigates.
type visitor struct {
	t      *testing.T
	client *http.Client
	hops   int
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { v.hops++; return nil }
	return v
}

// open navigates and returns the page in the end, and after how many redirects.
func (v *visitor) open(address string, form url.Values) (a Answer, hops int) {
	v.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	v.hops = 0
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %d %s, %v", address, response.StatusCode, body, err)
	}
	a, err = ReadAnswer(body)
	if err != nil {
		v.t.Fatal(err)
	}
	return a, v.hops
}

// replace puts another value into cookies of an app that are there.
func (v *visitor) replace(app string, values map[string]string) {
	v.t.Helper()
	u, err := url.Parse(app)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		for prefix, value := range values {
			if strings.HasPrefix(c.Name, prefix) {
				v.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: value, Path: "/"}})
			}
		}
	}
}

// libraryAlone is an app with the library and nothing before it.
func libraryAlone(t *testing.T, change func(*clerktest.Options, *Request)) (*clerktest.Instance, string) {
	t.Helper()
	o := clerktest.Options{FrontendURL: clerktest.Itself}
	var request Request
	if change != nil {
		change(&o, &request)
	}
	// The app's origin is known once it listens, and the instance wants to know
	// it: any port that a listener leaves is the app's.
	relay := newRelay(t)
	o.Origins = []string{relay.origin}
	i := clerktest.Start(t, o)
	request.ProxyURL = i.FrontendURL()
	request.AuthorizedParties = o.Origins
	relay.to(Start(t, Options{
		Client:  Client{PublishableKey: i.PublishableKey(), SecretKey: i.SecretKey(), APIURL: i.URL()},
		Request: request,
	}))
	return i, relay.origin
}

func TestTheLibraryIsServedByTheLocalInstance(t *testing.T) {
	t.Parallel()
	for name, carrier := range map[string]clerktest.Carrier{"by token": clerktest.ByToken, "by nonce": clerktest.ByNonce, "by size": clerktest.BySize} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, app := libraryAlone(t, func(o *clerktest.Options, _ *Request) { o.Handshake = carrier })
			v := newVisitor(t)
			if a, _ := v.open(app+"/x?y=1", nil); a.Library.Status != "signed-out" || a.Library.Reason != "session-token-and-uat-missing" {
				t.Errorf("a first visit is %+v", a.Library)
			}
			a, _ := v.open(i.SignInURL()+"?redirect_url="+url.QueryEscape(app+"/x"), url.Values{"user": {"user_ada"}})
			if a.Library.Status != "signed-in" || a.Library.User != "user_ada" || a.Library.Organization != "acme" || a.Library.Role != "org:admin" {
				t.Fatalf("signing in makes %+v", a.Library)
			}
			if again, hops := v.open(app+"/x", nil); again.Library != a.Library || hops != 0 {
				t.Errorf("a second look, after %d hops, is %+v", hops, again.Library)
			}
			v.open(i.AccountURL()+"?redirect_url="+url.QueryEscape(app+"/"), url.Values{"do": {"leave"}})
			if a, _ := v.open(app+"/x", nil); a.Library.Status != "signed-out" {
				t.Errorf("signing out makes %+v", a.Library)
			}
		})
	}
}

func TestTheLibraryRenewsExpiredTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noRefresh bool
		hops      int
		endpoint  string
	}{
		"by a handshake":     {true, 2, "GET /v1/client/handshake"},
		"by a refresh token": {false, 0, "POST /v1/sessions/{id}/refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, app := libraryAlone(t, func(o *clerktest.Options, _ *Request) { o.NoRefresh = c.noRefresh })
			v := newVisitor(t)
			a, _ := v.open(i.SignInURL()+"?redirect_url="+url.QueryEscape(app+"/x"), url.Values{"user": {"user_sol"}})
			expired := i.Mint(i.Session(a.Library.Session), clerktest.Token{Age: time.Hour})
			v.replace(app, map[string]string{"__session": expired, "__client_uat": "1"})
			before := i.Calls(c.endpoint)
			renewed, hops := v.open(app+"/x", nil)
			if renewed.Library.User != "user_sol" || i.Calls(c.endpoint) != before+1 || hops > 3 {
				t.Errorf("after %d hops, and %d calls of %s: %+v", hops, i.Calls(c.endpoint)-before, c.endpoint, renewed.Library)
			}
			i.RevokeSession(a.Library.Session)
			v.replace(app, map[string]string{"__session": expired, "__client_uat": "1"})
			if gone, _ := v.open(app+"/x", nil); gone.Library.Status != "signed-out" {
				t.Errorf("after it was revoked: %+v", gone.Library)
			}
		})
	}
}

func TestTheLibraryFollowsThePathsOrganization(t *testing.T) {
	t.Parallel()
	i, app := libraryAlone(t, func(_ *clerktest.Options, r *Request) {
		r.OrganizationSyncOptions = &OrganizationSyncOptions{OrganizationPatterns: []string{"/orgs/:slug", "/orgs/:slug/(.*)"}}
	})
	v := newVisitor(t)
	v.open(i.SignInURL()+"?redirect_url="+url.QueryEscape(app+"/"), url.Values{"user": {"user_ada"}})
	var seen []string
	for _, path := range []string{"/orgs/acme", "/orgs/bolt/x", "/x", "/orgs/nobodys"} {
		a, _ := v.open(app+path, nil)
		seen = append(seen, a.Library.Organization)
	}
	if want := []string{"acme", "bolt", "bolt", "bolt"}; !slices.Equal(seen, want) {
		t.Errorf("the organizations are %q, want %q", seen, want)
	}
}

func TestTheLibraryTakesMachineTokens(t *testing.T) {
	t.Parallel()
	i, app := libraryAlone(t, func(_ *clerktest.Options, r *Request) { r.AcceptsToken = "any" })
	m := clerktest.Machine{Subject: "user_ada", Scopes: []string{"a:read"}}
	revoked := i.CreateAPIKey(m)
	i.RevokeMachineToken(revoked)
	got := map[string]string{}
	for name, token := range map[string]string{
		"api key": i.CreateAPIKey(m), "m2m": i.CreateM2MToken(clerktest.Machine{Subject: "mch_a"}), "oauth": i.CreateOAuthToken(m),
		"m2m jwt":   i.MintM2M(clerktest.Machine{Subject: "mch_a", Scopes: []string{"mch_b"}}, clerktest.Token{Claims: map[string]any{"azp": app}}),
		"oauth jwt": i.MintOAuth(m, clerktest.Token{Claims: map[string]any{"azp": app}}),
		"revoked":   revoked,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		a, err := ReadAnswer(body)
		if err != nil {
			t.Fatalf("%s: %s", name, body)
		}
		got[name] = a.Library.Status + " " + a.Library.TokenType
	}
	want := map[string]string{
		"api key": "signed-in api_key", "m2m": "signed-in m2m_token", "oauth": "signed-in oauth_token",
		"m2m jwt": "signed-in m2m_token", "oauth jwt": "signed-in oauth_token", "revoked": "signed-out api_key",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
