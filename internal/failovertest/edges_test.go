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

// edges start a proxy in front of an app that asks two nodes, and return where it
// listens.
var edges = map[string]func(t *testing.T, app string, a, b *node) string{
	"envoy": startEnvoy,
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
func forwardAuth(name, comment string, second func(*node) string) func(*testing.T, string, *node, *node) string {
	return func(t *testing.T, app string, a, b *node) string {
		t.Helper()
		places := proxies.Places{App: app, ForwardAuth: a.forwardAuth, Health: a.health}
		return testproxy.Start(t, name, places, func(config string) string { return replace(t, config, comment, second(b)) })
	}
}

// startEnvoy runs an Envoy by envoy.yaml.example, which asks by gRPC.
func startEnvoy(t *testing.T, app string, a, b *node) string {
	t.Helper()
	text, err := os.ReadFile("../../envoy.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	config := replace(t, string(text), "# - endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 9002 ",
		"- endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: "+port(b.grpc)+" ")
	config = replace(t, config, "port_value: 9000 ", "port_value: "+port(a.grpc)+" ")
	config = replace(t, config, "port_value: 3000 ", "port_value: "+port(app)+" ")
	config = replace(t, config, "port_value: 10000 ", "port_value: 0 ")
	config = replace(t, config, "port_value: 9901 ", "port_value: 0 ")
	return testenvoy.Start(t, config).Listener(t, "ingress")
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
