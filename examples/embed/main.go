// Command embed is an app with the gate inside: a plain net/http server, and
// clerkgate's packages in front of its handlers. There is no proxy, and the
// handlers have the principal at hand.
//
//	CLERK_PUBLISHABLE_KEY=pk_test_... go run ./examples/embed
//
// Sign in at the instance's Account Portal; without a secret key, the public
// keys come from the Frontend API. Metrics are at http://localhost:9090.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

const (
	address        = "localhost:8080"
	metricsAddress = "localhost:9090" // which no stranger reaches
	timeout        = 5 * time.Second
)

func main() {
	registry := prometheus.NewRegistry()
	gate, err := newGate(context.Background(), session.Config{
		PublishableKey:    os.Getenv("CLERK_PUBLISHABLE_KEY"),
		SecretKey:         os.Getenv("CLERK_SECRET_KEY"),
		AuthorizedParties: policy.StringList{"http://" + address},
	}, registry)
	if err != nil {
		log.Fatal(err)
	}
	go serve(metricsAddress, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Printf("open http://%s", address)
	serve(address, gate.Wrap(app()))
}

func serve(address string, handler http.Handler) {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: timeout}
	log.Fatal(server.ListenAndServe())
}

// newGate joins the pieces. Everything wrong with the configuration is in the
// error. Keys are fetched in the background until ctx ends.
func newGate(ctx context.Context, clerk session.Config, metrics prometheus.Registerer) (*httpgate.Gate, error) {
	authenticator, err := session.New(clerk, session.Options{})
	if err != nil {
		return nil, err
	}
	p, err := policy.New(rules, policy.Deps{
		Authenticator: authenticator,
		Limiter:       ratelimit.NewMemory(ratelimit.Options{}),
		Instance:      authenticator.Instance(),
		Now:           time.Now,
	})
	if err != nil {
		return nil, err
	}
	authenticator.Start(ctx)
	return httpgate.New(p, httpgate.Options{Logger: slog.Default(), Metrics: metrics})
}

// rules are the policy: what no rule opens requires a session.
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
		if p := httpgate.PrincipalFrom(r.Context()); p != nil {
			fmt.Fprintf(w, "hello %s\n", p.UserID)
			return
		}
		fmt.Fprintln(w, "hello stranger")
	})
	mux.HandleFunc("GET /admin/", func(w http.ResponseWriter, r *http.Request) {
		p := httpgate.PrincipalFrom(r.Context())
		fmt.Fprintf(w, "%s runs %s\n", p.UserID, p.OrgSlug)
	})
	return mux
}
