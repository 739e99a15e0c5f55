package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// site is an app behind a gate.
type site struct {
	// address is where browsers reach it.
	address  string
	config   setup.Config
	upstream string
}

// edges start the proxies that the scenarios go through.
var edges = map[string]func(t *testing.T, sites []site){"Caddy": startCaddy, "Envoy": startEnvoy}

// object is a piece of Caddy's JSON.
type object = map[string]any

// startCaddy runs a Caddy with a server for each site.
func startCaddy(t *testing.T, sites []site) {
	t.Helper()
	servers := object{}
	for n, s := range sites {
		gate := decoded(t, s.config)
		gate["handler"] = "clerk_auth"
		servers["site"+strconv.Itoa(n)] = object{
			"listen":          []string{s.address},
			"automatic_https": object{"disable": true},
			"trusted_proxies": object{"source": "static", "ranges": []string{"127.0.0.0/8"}},
			"routes":          []object{{"handle": []object{gate, {"handler": "reverse_proxy", "upstreams": []object{{"dial": s.upstream}}}}}},
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "caddy.json")
	text, err := json.Marshal(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "WARN"}}},
		"apps":    object{"http": object{"servers": servers}},
	})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	caddy := testprocess.Start(t, "Caddy", testprocess.Caddy(t, file, dir))
	for _, s := range sites {
		caddy.AwaitListening(t, s.address)
	}
}

// decoded is a configuration as an object.
func decoded(t *testing.T, config setup.Config) object {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	gate := object{}
	if err := json.Unmarshal(text, &gate); err != nil {
		t.Fatal(err)
	}
	return gate
}

// startEnvoy runs an Envoy with a listener and an ext_authz server for each
// site.
func startEnvoy(t *testing.T, sites []site) {
	t.Helper()
	testenvoy.Binary(t) // skips early
	var listeners, clusters strings.Builder
	cluster := func(name, protocol, address string) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&clusters, envoyCluster, name, protocol, host, port)
	}
	for n, s := range sites {
		_, port, err := net.SplitHostPort(s.address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&listeners, envoyListener, n, port, n, n)
		cluster("authz"+strconv.Itoa(n), "{ http2_protocol_options: {} }", serveAuthz(t, s.config))
		cluster("app"+strconv.Itoa(n), "{ http_protocol_options: {} }", s.upstream)
	}
	testenvoy.Start(t, fmt.Sprintf(envoyBootstrap, listeners.String(), clusters.String()))
}

// serveAuthz starts an ext_authz server for a configuration.
func serveAuthz(t *testing.T, config setup.Config) string {
	t.Helper()
	gate, err := setup.New(config, setup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authz, err := extauthz.New(gate.Policy, extauthz.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, health := extauthz.NewGRPC(authz, extauthz.ServeOptions{})
	extauthz.Ready(health, true)
	listener, err := extauthz.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		extauthz.Shutdown(ctx, server, health, 0)
		<-done
		gate.Close()
	})
	return listener.Addr().String()
}

const envoyBootstrap = `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:%s
  clusters:%s
`

const envoyListener = `
    - name: site%d
      address: { socket_address: { address: 127.0.0.1, port_value: %s } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: site
                use_remote_address: true
                xff_num_trusted_hops: 1
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      grpc_service: { envoy_grpc: { cluster_name: authz%d, authority: authz.internal }, timeout: 20s }
                      failure_mode_allow: false
                      status_on_error: { code: ServiceUnavailable }
                      encode_raw_headers: true
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [ { match: { prefix: "" }, route: { cluster: app%d } } ] }`

const envoyCluster = `
    - name: %s
      connect_timeout: 5s
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: %s
      load_assignment:
        cluster_name: all
        endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: %s, port_value: %s } } } } ] } ]`
