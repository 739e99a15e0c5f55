package httpgate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// A service whose home page is public and whose other pages require a session.
func Example() {
	authenticator, err := session.New(session.Config{
		PublishableKey:    "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k",
		AuthorizedParties: policy.StringList{"https://app.example.com"},
	}, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.New(policy.Config{
		Rules: []policy.Rule{{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public}},
	}, policy.Deps{
		Authenticator: authenticator,
		Instance:      authenticator.Instance(),
		Now:           time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	gate, err := httpgate.New(p, httpgate.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := gate.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := httpgate.PrincipalFrom(r.Context()); p != nil {
			fmt.Fprintf(w, "hello %s", p.UserID)
			return
		}
		fmt.Fprint(w, "hello stranger")
	}))

	for _, path := range []string{"/", "/orders"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example.com"+path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// / 200
	// /orders 401
}
