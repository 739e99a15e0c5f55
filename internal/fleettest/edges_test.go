package fleettest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
)

// documented is the snippet of docs/revocation.md that begins with a line. What
// the documentation shows is what runs here.
func documented(t *testing.T, first string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "revocation.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```[a-z]*\n(" + regexp.QuoteMeta(first) + ".*?)^```$").FindSubmatch(text)
	if found == nil {
		t.Fatalf("docs/revocation.md has no snippet that begins with %q", first)
	}
	return string(found[1])
}

// startEnvoy runs an Envoy in front of a node, with the routes of the
// documentation.
func (f *fleet) startEnvoy(t *testing.T, n *node, address string) {
	t.Helper()
	routes := strings.TrimPrefix(documented(t, "routes:\n"), "routes:\n")
	testenvoy.Start(t, testenvoy.Bootstrap(
		[]testenvoy.Listener{{Name: "edge", Port: port(address), Authz: "clerkgate", Routes: routes}},
		[]testenvoy.Cluster{{Name: "clerkgate", Address: n.grpc, HTTP2: true}, {Name: "clerkgate_http", Address: n.http}, {Name: "app", Address: f.upstream}},
	))
}

// caddy is a Caddy with this module.
type caddy struct {
	*testprocess.Process
	command func() *exec.Cmd
	address string
	// metrics is where it shows its metrics.
	metrics string
	link    *testredis.Link
}

// startCaddy runs a Caddy and waits until it listens.
func (f *fleet) startCaddy(t *testing.T, address string) *caddy {
	t.Helper()
	c := &caddy{address: address, metrics: testprocess.Address(t), link: testredis.NewLink(t, f.redis.Addr)}
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(caddyfile, port(address), port(c.metrics), f.upstream, f.clerk.PublishableKey(), f.clerk.SecretKey(), f.clerk.URL(), f.clerk.FrontendURL(),
		f.clerk.SignInURL(), strings.Join(f.origins(), " "), f.secret, c.link.Addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.command = func() *exec.Cmd { return testprocess.Caddy(t, file, dir) }
	c.start(t)
	return c
}

// start runs Caddy and waits until it listens.
func (c *caddy) start(t *testing.T) {
	t.Helper()
	c.Process = testprocess.Start(t, "Caddy", c.command())
	c.AwaitListening(t, c.address)
}

// shows is Caddy's metrics.
func (c *caddy) shows(t *testing.T) string {
	t.Helper()
	status, body := get("http://" + c.metrics + "/")
	if status != http.StatusOK {
		t.Fatalf("Caddy's metrics are answered with %d", status)
	}
	return body
}

const caddyfile = `
{
	admin off
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	metrics
	log {
		level WARN
	}
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	clerk {
		publishable_key %[4]s
		secret_key %[5]s
		api_url %[6]s
		proxy_url %[7]s
		sign_in_url %[8]s
		authorized_parties %[9]s
		webhook_secret %[10]s
		redis redis://%[11]s
	}
}

http://localhost:%[1]s {
	clerk_webhooks
	clerk_sessions
	clerk_auth {
		rule machine {
			path /machine
			accept api_key
		}
	}
	reverse_proxy %[3]s
}

http://127.0.0.1:%[2]s {
	metrics
}
`
