package failovertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

const (
	origin = "https://app.example.com"
	host   = "app.example.com"
	// kindField says which of the kinds a request is.
	kindField = "X-Kind"
)

// kind is a request with one right answer.
type kind struct {
	method, path string
	// token is who asks: nobody, if empty.
	token, body string
	// status is what the client is to get, and user who the app is to be told of.
	status int
	user   string
}

// kinds are the requests of the load.
func kinds(t *testing.T, clerk *clerktest.Instance) map[string]kind {
	t.Helper()
	token := func(user string) string {
		session, err := clerk.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		return clerk.Mint(session, clerktest.Token{})
	}
	admin, member := token("user_ada"), token("user_max")
	return map[string]kind{
		"public":     {http.MethodGet, "/", "", "", http.StatusOK, ""},
		"member":     {http.MethodGet, "/dashboard", member, "", http.StatusOK, "user_max"},
		"post":       {http.MethodPost, "/dashboard", member, strings.Repeat("body ", 100), http.StatusOK, "user_max"},
		"admin":      {http.MethodGet, "/admin/users", admin, "", http.StatusOK, "user_ada"},
		"signed out": {http.MethodGet, "/dashboard", "", "", http.StatusUnauthorized, ""},
		"forbidden":  {http.MethodGet, "/admin/users", member, "", http.StatusForbidden, ""},
	}
}

// app is the application. It answers who it was told asks, and what it was sent.
type app struct {
	*httptest.Server
	kinds map[string]kind
	// received counts what reached it, and wronged what should not have, or as somebody
	// else.
	received, wronged atomic.Int64
}

func startApp(t *testing.T, kinds map[string]kind) *app {
	t.Helper()
	a := &app{kinds: kinds}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP implements [http.Handler].
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.received.Add(1)
	k, user := a.kinds[r.Header.Get(kindField)], r.Header.Get("X-User-Id")
	if k.status != http.StatusOK || user != k.user || r.Method != k.method || r.URL.Path != k.path {
		a.wronged.Add(1)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s\n%s", user, body)
}
