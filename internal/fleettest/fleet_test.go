package fleettest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
)

// fleet is everything that runs: what decides, what it shares, and who tells it.
type fleet struct {
	redis    *testredis.Server
	clerk    *clerktest.Instance
	courier  *courier
	secret   string
	upstream string
	// a and b are the nodes; caddy is Caddy.
	a, b  *node
	caddy *caddy
	// edges are the three as clients reach them.
	edges []*edge
}

// edge is one of those that decide, as clients reach it.
type edge struct {
	name string
	// origin is where browsers and programs go, and Clerk with its webhooks.
	origin string
}

// newFleet starts a fleet and waits until all of it is ready.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	clerkgateBinary(t)
	testprocess.CaddyBinary(t)
	testenvoy.Binary(t)
	f := &fleet{redis: testredis.Start(t), courier: newCourier(t), secret: clerktest.NewWebhookSecret(), upstream: newApp(t)}
	addresses := map[string]string{}
	for _, name := range []string{"node a", "node b", "Caddy"} {
		addresses[name] = testprocess.Address(t)
		f.edges = append(f.edges, &edge{name, "http://localhost:" + port(addresses[name])})
	}
	f.clerk = clerktest.Start(t, clerktest.Options{
		FrontendURL: clerktest.Itself, Origins: f.origins(), Webhook: clerktest.Webhook{URL: f.courier.url, Secret: f.secret},
	})
	f.a, f.b = f.newNode(t, "node a", ""), f.newNode(t, "node b", "")
	f.startEnvoy(t, f.a, addresses["node a"])
	f.startEnvoy(t, f.b, addresses["node b"])
	f.caddy = f.startCaddy(t, addresses["Caddy"])
	f.a.awaitReady(t)
	f.b.awaitReady(t)
	probe := f.signIn(t, "")
	for _, e := range f.edges {
		eventually(t, "an answer of "+e.name, func() bool { return e.call(t, "/", probe.token()).status == http.StatusOK })
	}
	return f
}

func (f *fleet) origins() []string {
	var list []string
	for _, e := range f.edges {
		list = append(list, e.origin)
	}
	return list
}

// document is the configuration of a node that reaches Redis by a link.
func (f *fleet) document(link *testredis.Link) string {
	return fmt.Sprintf(`
clerk:
  publishable_key: %s
  secret_key: %s
  api_url: %s
  proxy_url: %s
  sign_in_url: %s
  authorized_parties: [%s]
  webhook_secret: %s
trusted_proxies: [127.0.0.0/8]
redis: { url: "redis://%s" }
rules:
  - name: machine
    match: { path: ["/machine"] }
    accept: [api_key]
`, f.clerk.PublishableKey(), f.clerk.SecretKey(), f.clerk.URL(), f.clerk.FrontendURL(), f.clerk.SignInURL(),
		strings.Join(f.origins(), ", "), f.secret, link.Addr)
}

// identity is what the app is told of who asks.
type identity struct {
	User, Session, Role string
}

// newApp starts an app that shows whom it sees.
func newApp(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(identity{r.Header.Get("X-User-Id"), r.Header.Get("X-Session-Id"), r.Header.Get("X-Org-Role")})
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
