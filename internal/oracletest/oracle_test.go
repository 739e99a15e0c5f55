package oracletest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

var (
	duration = flag.Duration("oracle.duration", 5*time.Second, "how long to send requests")
	seed     = flag.Uint64("oracle.seed", rand.Uint64(), "what the requests depend on")
)

// workers send at once. A worker changes its address after some connections, so
// that limits by address are met and forgotten.
const (
	workers          = 12
	connectionsAPeer = 60
	peersAWorker     = 250
	settle           = 2 * time.Second
	tokensLast       = 6 * time.Hour
)

// TestOracle sends generated requests through Caddy and Envoy to real servers:
// what a server says it served was allowed to whoever asked, and whom the server
// believes is whom the gate said. Ordinary requests are all served.
func TestOracle(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{Live: true, Host: "clerk.app.test", TokenLifetime: tokensLast})
	dir := t.TempDir()
	policies := gated[string]{write(t, dir, "policy.yaml", policyFor(clerk, "")), write(t, dir, "mounted.yaml", policyFor(clerk, mounted))}
	upstreams := startUpstreams(t)
	gates := gated[string]{startGate(t, policies.plain), startGate(t, policies.mounted)}
	edges := []*edge{
		startCaddy(t, policies, upstreams),
		startEnvoy(t, "envoy", bare, gates, upstreams),
		startEnvoy(t, "envoy-hardened", hardened, gates, upstreams),
	}
	t.Logf("seed %d, for %s", *seed, *duration)
	checker := newChecker(*seed)
	stop := make(chan struct{})
	var watching, sending sync.WaitGroup
	logs := map[string]bool{}
	for _, u := range upstreams {
		if u.log != "" && !logs[u.log] {
			logs[u.log] = true
			watching.Go(func() { checker.watch(t, u, stop) })
		}
	}
	callers := people(t, clerk)
	until := time.Now().Add(*duration)
	for worker := range workers {
		sending.Go(func() {
			g := newGenerator(*seed, worker, callers)
			for n := 0; time.Now().Before(until); n++ {
				peer := fmt.Sprintf("127.%d.%d.%d", 1+worker, 1+n/connectionsAPeer/peersAWorker, 1+n/connectionsAPeer%peersAWorker)
				g.exchange(checker, pick(g, edges...), upstreams, peer)
			}
		})
	}
	sending.Wait()
	time.Sleep(settle) // what was sent last is served, and written down
	close(stop)
	watching.Wait()
	checker.report(t)
}

// exchange opens one connection and sends what it may.
func (g *generator) exchange(checker *checker, e *edge, upstreams []*upstream, peer string) {
	u := pick(g, upstreams...)
	for e.plain[u.name] == "" {
		u = pick(g, upstreams...)
	}
	c := &client{checker: checker, edge: e, upstream: u, peer: peer}
	hasTLS := e.tls != nil
	var requests []*request
	if g.chance(12) {
		requests = []*request{g.control(u)}
	} else {
		for range pick(g, 1, 1, 1, 1, 2, 4) {
			requests = append(requests, g.request(u))
		}
	}
	switch n := g.IntN(20); {
	case n < 11:
		// Files are told by the answers, one by one.
		if u.log == "" {
			requests = requests[:1]
		}
		c.overHTTP1(g, requests, hasTLS && g.chance(5))
	case n < 17 || !hasTLS:
		c.overHTTP2(g, requests, hasTLS && g.chance(3))
	default:
		c.overHTTP3(requests[0])
	}
}

// people are those who send requests.
func people(t *testing.T, clerk *clerktest.Instance) []*caller {
	t.Helper()
	all := []*caller{anonymous, anonymous, anonymous}
	for _, who := range [][2]string{{"admin", "user_ada"}, {"member", "user_max"}, {"stranger", "user_sol"}} {
		name, user := who[0], who[1]
		session, err := clerk.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		c := &caller{name: name, token: clerk.Mint(session, clerktest.Token{}), user: user, org: session.Organization}
		c.identity = map[string]string{"x-user-id": user, "x-session-id": session.ID, "x-auth-type": "session_token"}
		for _, m := range session.User.Memberships {
			if m.Organization.Slug == session.Organization {
				c.role = m.Role
				c.identity["x-org-id"], c.identity["x-org-slug"], c.identity["x-org-role"] = m.Organization.ID, m.Organization.Slug, m.Role
				c.identity["x-org-permissions"] = strings.Join(m.Permissions, ",")
			}
		}
		all = append(all, c)
	}
	return all
}
