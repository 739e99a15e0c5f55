// Command embed is an app with the gate inside: a plain net/http server, and
// clerkgate's packages in front of its handlers. There is no proxy, and the
// handlers have the principal at hand.
//
//	CLERK_PUBLISHABLE_KEY=pk_test_... go run ./examples/embed
//
// Sign in at the instance's Account Portal; without a secret key, the public
// keys come from the Frontend API.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// The server's bounds.
const (
	address       = "localhost:8080"
	headerTimeout = 5 * time.Second
	stopTimeout   = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	gate, err := newGate(session.Config{
		PublishableKey:    os.Getenv("CLERK_PUBLISHABLE_KEY"),
		SecretKey:         os.Getenv("CLERK_SECRET_KEY"),
		AuthorizedParties: policy.StringList{"http://" + address},
	}, rules)
	if err != nil {
		return err
	}
	defer gate.close()
	gate.start(ctx)
	server := &http.Server{Addr: address, Handler: gate.guard(app()), ReadHeaderTimeout: headerTimeout}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	log.Printf("open http://%s", address)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return server.Shutdown(limit)
}

// rules are the policy: what no rule opens wants a session.
var rules = policy.Config{
	Limits: map[string]policy.Limit{
		"per-user": {Limit: 100, Window: policy.Duration(10 * time.Second), Key: policy.StringList{"user"}},
	},
	Rules: []policy.Rule{
		{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public},
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin/:path*"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
		{Name: "api", Match: policy.Match{Path: policy.StringList{"/api/:path*"}}, Limits: policy.StringList{"per-user"}},
	},
}

// app is an app that knows nothing of tokens.
func app() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if p := principalOf(r.Context()); p != nil {
			fmt.Fprintf(w, "hello %s\n", p.UserID)
			return
		}
		fmt.Fprintln(w, "hello stranger")
	})
	mux.HandleFunc("GET /admin/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s runs %s\n", principalOf(r.Context()).UserID, principalOf(r.Context()).OrgSlug)
	})
	return mux
}
