package testenvoy

import (
	"cmp"
	"fmt"
	"net"
	"strings"
)

// Listener is one that asks an ext_authz server about each request.
type Listener struct {
	Name string
	// Port is that of 127.0.0.1. Default: any; see [Envoy.Listener].
	Port string
	// Manager are further settings of the connection manager, in YAML.
	Manager string
	// Authz is the cluster that is asked.
	Authz string
	// StatusOnError answers where asking fails, as Envoy names it. Default:
	// ServiceUnavailable.
	StatusOnError string
	// Cluster receives what passes, unless there are Routes, in YAML.
	Cluster, Routes string
}

// Cluster is one server.
type Cluster struct {
	Name, Address string
	// HTTP2: it speaks HTTP/2, as gRPC does.
	HTTP2 bool
}

// Bootstrap is the configuration of an Envoy for [Start].
func Bootstrap(listeners []Listener, clusters []Cluster) string {
	var b strings.Builder
	b.WriteString("admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\nstatic_resources:\n  listeners:\n")
	for _, l := range listeners {
		routes := cmp.Or(l.Routes, `- { match: { prefix: "" }, route: { cluster: `+l.Cluster+" } }")
		fmt.Fprintf(&b, listenerYAML, l.Name, cmp.Or(l.Port, "0"), indent(l.Manager, 16), l.Authz, cmp.Or(l.StatusOnError, "ServiceUnavailable"), indent(routes, 24))
	}
	b.WriteString("  clusters:\n")
	for _, c := range clusters {
		options := ""
		if c.HTTP2 {
			options = http2YAML
		}
		host, port, _ := net.SplitHostPort(c.Address)
		fmt.Fprintf(&b, clusterYAML, c.Name, options, host, port)
	}
	return b.String()
}

const (
	listenerYAML = `    - name: %[1]s
      address: { socket_address: { address: 127.0.0.1, port_value: %[2]s } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: %[1]s
                use_remote_address: true
%[3]s
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      grpc_service: { envoy_grpc: { cluster_name: %[4]s, authority: authz.internal }, timeout: 20s }
                      failure_mode_allow: false
                      status_on_error: { code: %[5]s }
                      encode_raw_headers: true
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
%[6]s
`
	clusterYAML = `    - name: %[1]s
      type: STATIC
      connect_timeout: 5s%[2]s
      load_assignment: { cluster_name: %[1]s, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: %[3]s, port_value: %[4]s } } } } ] } ] }
`
	http2YAML = `
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }`
)

// indent moves lines to the right, from where the first begins.
func indent(text string, by int) string {
	text = strings.Trim(text, "\n")
	own := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", by) + strings.TrimPrefix(line, own))
	}
	return b.String()
}
