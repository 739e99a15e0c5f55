package main

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// startApp serves the app behind the gate, with a local Clerk instance.
func startApp(t *testing.T, handler http.Handler) (*clerktest.Instance, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	// The instance is at 127.0.0.1: the app is another site.
	origin := "http://localhost:" + strconv.Itoa(server.Listener.Addr().(*net.TCPAddr).Port)
	clerk := clerktest.Start(t, clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{origin}})
	registry := prometheus.NewRegistry()
	gate, err := newGate(t.Context(), session.Config{
		PublishableKey: clerk.PublishableKey(), SecretKey: clerk.SecretKey(), APIURL: clerk.URL(),
		ProxyURL: clerk.FrontendURL(), SignInURL: clerk.SignInURL(), AuthorizedParties: policy.StringList{origin},
	}, registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n, err := testutil.GatherAndCount(registry, "clerkgate_decisions_total"); err != nil || n == 0 {
			t.Errorf("%d series of decisions, %v", n, err)
		}
	})
	server.Config.Handler = gate.Wrap(handler)
	server.Start()
	server.URL = origin
	t.Cleanup(server.Close)
	return clerk, server
}

// token signs somebody in.
func token(t *testing.T, clerk *clerktest.Instance, user string) string {
	t.Helper()
	s, err := clerk.SignIn(user)
	if err != nil {
		t.Fatal(err)
	}
	return clerk.Mint(s, clerktest.Token{})
}

func TestTheAppServesWhatThePolicyAllows(t *testing.T) {
	t.Parallel()
	clerk, server := startApp(t, app())
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for name, c := range map[string]struct {
		target, user, accept string
		status               int
		body                 string
	}{
		"the home page is public":              {target: "/", status: 200, body: "hello stranger\n"},
		"it knows who is signed in":            {target: "/", user: "user_sol", status: 200, body: "hello user_sol\n"},
		"everything else wants a session":      {target: "/notes", status: 401, body: "dev-browser-missing"},
		"a browser is sent to Clerk":           {target: "/notes", accept: "text/html", status: 307},
		"an admin is let in":                   {target: "/admin/", user: "user_ada", status: 200, body: "user_ada runs acme\n"},
		"a member is not":                      {target: "/admin/", user: "user_max", status: 403, body: "role-missing"},
		"nor by another spelling":              {target: "/ADMIN/x", user: "user_max", status: 403, body: "role-missing"},
		"a path with two readings is no path":  {target: "/%2561dmin/", user: "user_ada", status: 400, body: "target-"},
		"dots that net/http would resolve too": {target: "/x/../admin/", user: "user_max", status: 400, body: "target-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = c.target // as it stands
			if c.user != "" {
				r.Header.Set("Authorization", "Bearer "+token(t, clerk, c.user))
			}
			if c.accept != "" {
				r.Header.Set("Accept", c.accept)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Errorf("%d %s, %v", response.StatusCode, body, err)
			}
			if location := response.Header.Get("Location"); (c.status == 307) != strings.HasPrefix(location, clerk.FrontendURL()) {
				t.Errorf("sent to %q", location)
			}
		})
	}
}

// A client names itself in the header that the app believes. The app must see
// nobody, or who is signed in, in every spelling that folds to that header.
func TestNoClientNamesItself(t *testing.T) {
	t.Parallel()
	var seen http.Header
	clerk, server := startApp(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	for _, user := range []string{"", "user_sol"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"X-User-Id", "x-user-id", "X_User_Id", "X-Org-Role"} {
			r.Header[name] = []string{"user_forged"}
		}
		if user != "" {
			r.Header.Set("Authorization", "Bearer "+token(t, clerk, user))
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || seen.Get("X-User-Id") != user {
			t.Errorf("%d, and the app sees %q", response.StatusCode, seen.Get("X-User-Id"))
		}
		for name, values := range seen {
			if strings.Contains(strings.Join(values, " "), "forged") {
				t.Errorf("%s came through", name)
			}
		}
	}
}

func TestAGateWithoutAKeyIsNone(t *testing.T) {
	t.Parallel()
	if _, err := newGate(t.Context(), session.Config{}, prometheus.NewRegistry()); err == nil {
		t.Error("a gate of no instance opens")
	}
}

// A browser opens a page, signs in where that leads, and is back on the page.
func TestABrowserSignsInAndIsBack(t *testing.T) {
	t.Parallel()
	clerk, server := startApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-User-Id")+" at "+r.URL.RequestURI())
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	ask := func(method, address string, form url.Values) (at, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.Request.URL.String(), string(text)
	}
	at, _ := ask(http.MethodGet, server.URL+"/notes?a=1", nil)
	if !strings.HasPrefix(at, clerk.SignInURL()) {
		t.Fatalf("sent to %s", at)
	}
	if at, body := ask(http.MethodPost, at, url.Values{"user": {"user_ada"}}); body != "user_ada at /notes?a=1" {
		t.Errorf("%q at %s", body, at)
	}
}
