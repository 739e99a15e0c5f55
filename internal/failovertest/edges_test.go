package failovertest

import (
	"net"
	"os"
	"strings"
	"testing"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testproxy"
)

// edge starts a proxy in front of an app that asks two nodes, and returns where it
// listens.
type edge func(t *testing.T, app string, a, b *node) string

// edges are the proxies. Envoy by gRPC waits for less than a busy machine may stand
// still, so here it waits for longer: a node that is gone costs no time.
var edges = map[string]edge{
	"envoy": envoyByGRPC("timeout: 0.5s", "timeout: 10s", "max_interval: 0.2s", "max_interval: 4s"),
	"haproxy": forwardAuth("haproxy", "# server clerkgate-2 10.0.0.2:9001", func(b *node) string {
		return "server clerkgate-2 " + b.forwardAuth + " port " + port(b.health)
	}),
	"nginx": forwardAuth("nginx", "# server 10.0.0.2:9001 ", func(b *node) string { return "server " + b.forwardAuth + " " }),
	"envoy by HTTP": forwardAuth("envoy", "# - endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 9001 } }, health_check_config: { port_value: 9090 ", func(b *node) string {
		return "- endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: " + port(b.forwardAuth) + " } }, health_check_config: { port_value: " + port(b.health) + " "
	}),
}

// forwardAuth starts a proxy by its example, with the second node where a comment in it
// says.
func forwardAuth(name, comment string, second func(*node) string) edge {
	return func(t *testing.T, app string, a, b *node) string {
		t.Helper()
		places := proxies.Places{App: app, ForwardAuth: a.forwardAuth, Health: a.health}
		return testproxy.Start(t, name, places, func(config string) string { return replace(t, config, comment, second(b)) })
	}
}

// envoyByGRPC runs an Envoy by envoy.yaml.example, with other texts in place of some.
func envoyByGRPC(others ...string) edge {
	return func(t *testing.T, app string, a, b *node) string {
		t.Helper()
		text, err := os.ReadFile("../../envoy.yaml.example")
		if err != nil {
			t.Fatal(err)
		}
		config := replace(t, string(text), "# - endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 9002 ",
			"- endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: "+port(b.grpc)+" ")
		for _, at := range [][2]string{{"9000", port(a.grpc)}, {"3000", port(app)}, {"10000", "0"}, {"9901", "0"}} {
			config = replace(t, config, "port_value: "+at[0]+" ", "port_value: "+at[1]+" ")
		}
		for i := 0; i < len(others); i += 2 {
			config = replace(t, config, others[i], others[i+1])
		}
		return testenvoy.Start(t, config).Listener(t, "ingress")
	}
}

// replace changes what must be there once.
func replace(t *testing.T, text, from, to string) string {
	t.Helper()
	if n := strings.Count(text, from); n != 1 {
		t.Fatalf("the configuration has %q %d times", from, n)
	}
	return strings.Replace(text, from, to, 1)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
