package browsertest

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/npmtest"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// world is a Clerk instance, two apps behind a proxy, and a browser: the app,
// and one on another domain that is its satellite. The instance is one for
// development, at another site than both.
type world struct {
	*tab
	clerk          *clerktest.Instance
	app, satellite string
}

// newWorld starts one.
func newWorld(t *testing.T, start func(*testing.T, []site), tb *tab, change func(*clerktest.Options)) *world {
	t.Helper()
	app, satellite := testprocess.Address(t), testprocess.Address(t)
	w := &world{tab: tb, app: "http://localhost:" + port(t, app), satellite: "http://satellite.localhost:" + port(t, satellite)}
	o := clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{w.app, w.satellite}}
	if change != nil {
		change(&o)
	}
	w.clerk = clerktest.Start(t, o)
	start(t, []site{
		{app, w.config(t, w.app, nil), w.startApp(t, w.app, npmtest.Request{})},
		{satellite, w.config(t, w.satellite, func(c *session.Config) {
			c.Satellite, c.SatelliteAutoSync, c.Domain = true, true, host(w.satellite)
		}), w.startApp(t, w.satellite, npmtest.Request{IsSatellite: true, SatelliteAutoSync: true, Domain: host(w.satellite)})},
	})
	return w
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// host is an origin's, without port.
func host(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	name, _, _ := strings.Cut(host, ":")
	return name
}

// organizations are the paths that name one.
var organizations = []string{"/orgs/:slug", "/orgs/:slug/(.*)"}

// config is the policy of a site.
func (w *world) config(t *testing.T, origin string, change func(*session.Config)) setup.Config {
	t.Helper()
	document := `
trusted_proxies: [127.0.0.0/8]
rules:
  - name: public
    match: { path: ["/public/:path*"] }
    access: public
  - name: admin
    match: { path: ["/admin/:path*"] }
    require: { role: org:admin }
  - name: tenant
    match: { path: ["/orgs/:slug/:path*"] }
    require: { organization: { slug: ":slug" } }
clerk:
  publishable_key: ` + w.clerk.PublishableKey()
	config, _, err := setup.Load("policy.yaml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Clerk
	c.SecretKey, c.APIURL, c.ProxyURL, c.SignInURL = w.clerk.SecretKey(), w.clerk.URL(), w.proxyURL(), w.clerk.SignInURL()
	c.AuthorizedParties = policy.StringList{origin}
	c.OrganizationSync = &session.OrganizationSync{Organization: organizations}
	if change != nil {
		change(c)
	}
	return *config
}

// proxyURL is where browsers reach the instance, if not by its own name.
func (w *world) proxyURL() string {
	if w.clerk.TLSAddr() != "" {
		return ""
	}
	return w.clerk.FrontendURL()
}

// startApp starts the app of a site.
func (w *world) startApp(t *testing.T, origin string, r npmtest.Request) string {
	t.Helper()
	r.ProxyURL, r.SignInURL, r.AuthorizedParties = w.proxyURL(), w.clerk.SignInURL(), []string{origin}
	r.OrganizationSyncOptions = &npmtest.OrganizationSyncOptions{OrganizationPatterns: organizations}
	return npmtest.Start(t, npmtest.Options{
		Client:  npmtest.Client{PublishableKey: w.clerk.PublishableKey(), SecretKey: w.clerk.SecretKey(), APIURL: w.clerk.URL()},
		Request: r,
	})
}

// maxHops is more than any way through the gate takes, and fewer than a loop.
const maxHops = 12

// reach opens a page of an app and returns what the app says, on which gate and
// library must agree. The address in the end is the one asked for.
func (w *world) reach(address string) npmtest.Answer {
	w.t.Helper()
	return w.reached(address, w.open(address))
}

func (w *world) reached(address string, p page) npmtest.Answer {
	w.t.Helper()
	if p.url != address || p.status != 200 || len(p.hops) > maxHops {
		w.t.Fatalf("%s ends at %s, %d %q, after\n%s", address, p.url, p.status, p.text, strings.Join(p.hops, "\n"))
	}
	a, err := npmtest.ReadAnswer([]byte(p.text))
	if err != nil {
		w.t.Fatalf("%v: %s", err, p.text)
	}
	header := func(name string) string { text, _ := a.Headers[name].(string); return text }
	gate := npmtest.Decision{User: header("x-user-id"), Session: header("x-session-id"), Organization: header("x-org-slug"), Role: header("x-org-role")}
	library := npmtest.Decision{User: a.Library.User, Session: a.Library.Session, Organization: a.Library.Organization, Role: a.Library.Role}
	if gate != library {
		w.t.Errorf("%s: the gate says %+v, the library %+v", address, gate, a.Library)
	}
	return a
}

// signIn opens a page that wants a session, signs in where that leads and
// returns what the app says then.
func (w *world) signIn(address, user string) npmtest.Answer {
	w.t.Helper()
	p := w.open(address)
	if !strings.HasPrefix(p.url, w.clerk.SignInURL()+"?") || len(p.hops) > maxHops {
		w.t.Fatalf("%s leads to %s, %d, after\n%s", address, p.url, p.status, strings.Join(p.hops, "\n"))
	}
	return w.reached(address, w.press(user))
}

// expire leaves the browser with the session's token as it will be in an hour.
func (w *world) expire(origin, sessionID string) {
	w.t.Helper()
	expired := w.clerk.Mint(w.clerk.Session(sessionID), clerktest.Token{Age: time.Hour, Claims: map[string]any{"azp": origin}})
	n := 0
	for _, c := range w.cookies(origin) {
		switch {
		case strings.HasPrefix(c.Name, "__session"):
			w.setCookie(origin, c, expired)
			n++
		case strings.HasPrefix(c.Name, "__client_uat"):
			w.setCookie(origin, c, "1")
		}
	}
	if n == 0 {
		w.t.Fatal("the browser has no session token")
	}
}

// later is ten seconds on: handshakes that come after count as no loop with
// those before.
func (w *world) later() {
	w.t.Helper()
	for _, c := range w.cookies(w.app) {
		if c.Name == "__clerk_redirect_count" {
			w.setCookie(w.app, c, "0")
		}
	}
}
