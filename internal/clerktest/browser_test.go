package clerktest

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// browser asks an instance under the instance's own names, as browsers do, and
// follows nothing by itself.
type browser struct {
	t   *testing.T
	i   *Instance
	jar http.CookieJar
}

func newBrowser(t *testing.T, i *Instance) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, i, jar}
}

// ask makes a request; a form makes it a POST.
func (b *browser) ask(address string, form url.Values) *http.Response {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, address, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.jar.Cookies(u) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.i.handler.ServeHTTP(w, r)
	response := w.Result()
	b.jar.SetCookies(u, response.Cookies())
	return response
}

// follow asks until an answer leads to an app, and returns where.
func (b *browser) follow(address string, form url.Values) *url.URL {
	b.t.Helper()
	for range 5 {
		response := b.ask(address, form)
		to, err := response.Location()
		if err != nil {
			b.t.Fatalf("%s: %d leads nowhere", address, response.StatusCode)
		}
		if _, app := b.i.app(to.String()); app && !strings.HasPrefix(to.Host, "clerk.") {
			return to
		}
		address, form = to.String(), nil
	}
	b.t.Fatal("sent in circles")
	return nil
}

// cookies are those that a page gets.
func (b *browser) cookies(page string) map[string]string {
	b.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		b.t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range b.jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

// take sets the cookies that a handshake has for a page, as the app would.
func (b *browser) take(page string, lines []string) {
	b.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			b.t.Fatal(err)
		}
		b.jar.SetCookies(u, []*http.Cookie{c})
	}
}
