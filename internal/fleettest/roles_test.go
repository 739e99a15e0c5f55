package fleettest

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// browser keeps cookies and goes where it is sent.
type browser struct {
	t      *testing.T
	client *http.Client
	hops   []*http.Response // where it was sent on, by the last page
	origin string
}

func newBrowser(t *testing.T, e *edge) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, origin: e.origin}
	b.client = &http.Client{Timeout: patience, Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		b.hops = append(b.hops, r.Response)
		if len(via) > 12 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

// open loads a page of the edge.
func (b *browser) open(path string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.origin+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	b.hops = nil
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	a, err := read(b.client.Do(r))
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// signIn signs somebody in, where the edge sends a browser for that, and comes
// back to the page.
func (b *browser) signIn(p *person) {
	b.t.Helper()
	b.open("/")
	if len(b.hops) == 0 {
		b.t.Fatal("the browser is not sent to sign in")
	}
	at, err := b.hops[len(b.hops)-1].Location()
	if err != nil || !strings.HasSuffix(at.Path, "/sign-in") {
		b.t.Fatalf("the browser is sent to %v, %v", at, err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, at.String(), strings.NewReader(url.Values{"user": {p.user.ID}}.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := b.do(r); a.status != http.StatusOK || a.app.User != p.user.ID {
		b.t.Fatalf("signed in, the browser gets %d, and the app sees %+v", a.status, a.app)
	}
}

// token is the session token that the browser keeps.
func (b *browser) token() string {
	b.t.Helper()
	u, err := url.Parse(b.origin)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "__session") {
			return c.Value
		}
	}
	b.t.Fatal("the browser has no session token")
	return ""
}

// wasSentToHandshake reports whether the first answer sent the browser to Clerk
// for a new token.
func (b *browser) wasSentToHandshake() bool {
	if len(b.hops) == 0 || b.hops[0].StatusCode != http.StatusTemporaryRedirect {
		return false
	}
	to, err := b.hops[0].Location()
	return err == nil && to.Path == "/v1/client/handshake" && to.Query().Get("__clerk_hs_reason") == string(policy.ReasonClaimsStale)
}

// aNewRoleComesWithTheNextNavigation: browsers notice nothing but the new role,
// and programs are told to fetch a new token.
func aNewRoleComesWithTheNextNavigation(t *testing.T, f *fleet) {
	for _, told := range f.edges {
		f.courier.goTo(told)
		p := f.signIn(t, "org:member")
		browsers := map[*edge]*browser{}
		tokens := map[*edge]string{}
		for _, e := range f.edges {
			browsers[e] = newBrowser(t, e)
			browsers[e].signIn(p)
			if a := browsers[e].open("/"); a.status != http.StatusOK || a.app.Role != "org:member" {
				t.Fatalf("%s: %d, and the app sees %+v", e.name, a.status, a.app)
			}
			tokens[e] = browsers[e].token()
		}
		old := p.token()
		began := time.Now()
		must(t, f.clerk.SetRole(p.user.ID, p.organization(), "org:admin"))
		took := f.refuse(t, began, "/", old, policy.ReasonClaimsStale)
		t.Logf("told to %s: all three want a new token after %v", told.name, took.Round(time.Millisecond))
		f.nextSecond(t)
		for _, e := range f.edges {
			a := e.call(t, "/", tokens[e])
			if challenge := a.header.Get("Www-Authenticate"); a.status != http.StatusUnauthorized || a.reason != policy.ReasonClaimsStale ||
				challenge != `Bearer realm="clerk", error="invalid_token", error_description="claims-stale"` {
				t.Errorf("%s answers a program with %d %s, %s", e.name, a.status, a.reason, challenge)
			}
			if a := e.call(t, "/", p.token()); a.status != http.StatusOK || a.app.Role != "org:admin" {
				t.Errorf("%s answers a new token with %d %s, and the app sees %+v", e.name, a.status, a.reason, a.app)
			}
			b := browsers[e]
			if a := b.open("/"); a.status != http.StatusOK || a.app.Role != "org:admin" || !b.wasSentToHandshake() {
				t.Errorf("%s: the browser ends at %d, the app sees %+v, after %d redirects", e.name, a.status, a.app, len(b.hops))
			}
			if a := b.open("/"); a.status != http.StatusOK || len(b.hops) != 0 {
				t.Errorf("%s: the next page is %d after %d redirects", e.name, a.status, len(b.hops))
			}
		}
	}
}

// aBrowserIsSentToSignIn where its session has ended, and a program is told.
func aBrowserIsSentToSignIn(t *testing.T, f *fleet) {
	f.courier.goTo(f.edges[0])
	for _, e := range f.edges {
		p := f.signIn(t, "")
		b := newBrowser(t, e)
		b.signIn(p)
		token := b.token()
		began := time.Now()
		f.clerk.RevokeSession(f.clerk.SessionOf(token).ID)
		f.refuse(t, began, "/", token, policy.ReasonSessionRevoked)
		b.open("/")
		if len(b.hops) == 0 {
			t.Fatalf("%s lets the browser in", e.name)
		}
		if to, err := b.hops[0].Location(); err != nil || b.hops[0].StatusCode != http.StatusTemporaryRedirect || to.Path != "/sign-in" || to.Query().Get("redirect_url") != e.origin+"/" {
			t.Errorf("%s sends the browser to %v, %v", e.name, to, err)
		}
		b.signIn(p)
	}
}
