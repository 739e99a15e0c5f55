package sessionpage

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// A whole visit: sent to sign in, back at the list, signed out, and led by the
// form to a page that leads to signing in again, which the page's own policy must
// not forbid.
func TestBrowserSignsInAndOutWithTheLocalClerk(t *testing.T) {
	b := startBrowser(t)
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	site := "http://localhost:" + port
	clerk := clerktest.Start(t, clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{site}})
	config := session.Config{PublishableKey: clerk.PublishableKey(), SecretKey: clerk.SecretKey(), APIURL: clerk.URL(),
		ProxyURL: clerk.FrontendURL(), SignInURL: clerk.SignInURL(), AuthorizedParties: policy.StringList{site}}
	authenticator, err := session.New(config, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authenticator.Start(t.Context())
	t.Cleanup(authenticator.Close)
	w := newWorld(t, func(o *Options) {
		o.Clerk, o.Authenticator, o.HTTPClient, o.Revoker, o.Request, o.SignedOutURL = config, authenticator, nil, nil, httpgate.Request, DefaultPrefix
		o.Instance = authenticator.Instance()
	})
	server.Config.Handler = w
	server.Start()
	t.Cleanup(server.Close)

	b.do(chromedp.Navigate(site+DefaultPrefix), chromedp.Click(`button[value="user_ada"]`), chromedp.WaitVisible(`form[action$="everywhere"] button`))
	if h := eval[string](b, `document.querySelector("h1").textContent`); h != "Where you are signed in" {
		t.Errorf("after signing in the page says %q", h)
	}
	other, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Reload(), chromedp.WaitVisible(`form[action$="`+other.ID+`/revoke"] button`),
		chromedp.Click(`form[action$="everywhere"] button`), chromedp.WaitVisible(`button[value="user_ada"]`))
	if at := eval[string](b, `location.origin`); !strings.HasPrefix(clerk.SignInURL(), at) {
		t.Errorf("signing out ends at %s", at)
	}
	if status := clerk.Session(other.ID).Status; status != "revoked" {
		t.Errorf("the other session is %s", status)
	}
	b.do(chromedp.Navigate(site+DefaultPrefix), chromedp.WaitVisible(`button[value="user_ada"]`))
	b.quiet()
}
