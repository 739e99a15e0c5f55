package conformance

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
)

// envoySurface is one Envoy with a listener and an ext_authz server for each
// gate.
type envoySurface struct {
	title     string
	addresses []string
}

func (s *envoySurface) name() string            { return s.title }
func (s *envoySurface) address(gate int) string { return s.addresses[gate] }

// ruleMark is the response field in which the proxies of these tests show the
// rule that refused.
const ruleMark = "X-Clerkgate-Rule"

// envoyHardened are the settings that envoy.yaml.example recommends for paths.
// The server must hold without them too.
const envoyHardened = `
                normalize_path: true
                merge_slashes: true
                path_with_escaped_slashes_action: REJECT_REQUEST`

// startEnvoy runs a gate for each configuration behind a real Envoy. settings
// are further lines of its connection manager.
func startEnvoy(t *testing.T, title, settings string, configs []setup.Config, upstream string) surface {
	t.Helper()
	testenvoy.Binary(t) // skips early
	var listeners, clusters strings.Builder
	for i, config := range configs {
		fmt.Fprintf(&listeners, envoyListener, i, settings, i)
		authz := serveAuthz(t, config)
		fmt.Fprintf(&clusters, envoyCluster, "authz"+strconv.Itoa(i), "{ http2_protocol_options: {} }", hostOf(authz), portOf(authz))
	}
	fmt.Fprintf(&clusters, envoyCluster, "app", "{ http_protocol_options: {} }", hostOf(upstream), portOf(upstream))
	e := testenvoy.Start(t, fmt.Sprintf(envoyBootstrap, listeners.String(), clusters.String()))
	s := &envoySurface{title: title}
	for i := range configs {
		s.addresses = append(s.addresses, e.Listener(t, "gate"+strconv.Itoa(i)))
	}
	return s
}

// serveAuthz starts an ext_authz server for a configuration.
func serveAuthz(t *testing.T, config setup.Config) string {
	t.Helper()
	gate, err := setup.New(config, setup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authz, err := extauthz.New(gate.Policy, extauthz.Options{Timeout: exchangeTimeout})
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

func hostOf(address string) string { host, _, _ := net.SplitHostPort(address); return host }
func portOf(address string) string { _, port, _ := net.SplitHostPort(address); return port }

const envoyBootstrap = `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:%s
  clusters:%s
`

const envoyListener = `
    - name: gate%d
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: gate
                use_remote_address: true
                max_request_headers_kb: 8192%s
                local_reply_config:
                  mappers:
                    - filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 100, runtime_key: none } } } }
                      headers_to_add:
                        - header: { key: x-clerkgate-rule, value: "%%DYNAMIC_METADATA(envoy.filters.http.ext_authz:rule)%%" }
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      grpc_service: { envoy_grpc: { cluster_name: authz%d, authority: authz.internal }, timeout: 20s }
                      failure_mode_allow: false
                      status_on_error: { code: BadGateway }
                      encode_raw_headers: true
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [ { match: { prefix: "" }, route: { cluster: app } } ] }`

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
