package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
)

// envoyRoutes are the routes and clusters in docs/sessions.md.
func envoyRoutes(t *testing.T) (hosts, clusters string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "sessions.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\nvirtual_hosts:\n")
	snippet, _, _ := strings.Cut(rest, "```")
	hosts, clusters, ok := strings.Cut(snippet, "clusters:\n")
	if !ok {
		t.Fatal("the documentation has no routes for Envoy")
	}
	return hosts, clusters
}

// indent moves lines to the right.
func indent(text string, by int) string {
	pad := strings.Repeat(" ", by)
	return pad + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+pad)
}

// envoyBootstrap is an Envoy with the routes of the documentation, whose checks
// nobody answers: what is not open is refused.
func envoyBootstrap(t *testing.T, edge string) string {
	t.Helper()
	host, port, _ := strings.Cut(edge, ":")
	hosts, clusters := envoyRoutes(t)
	clusters = strings.Replace(clusters, "address: clerkgate, port_value: 9080", "address: "+host+", port_value: "+port, 1)
	return fmt.Sprintf(`
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
    - name: edge
      address: {socket_address: {address: 127.0.0.1, port_value: 0}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: edge
                use_remote_address: true
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      grpc_service: {envoy_grpc: {cluster_name: app}, timeout: 1s}
                  - name: envoy.filters.http.router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
                route_config:
                  virtual_hosts:
%s
  clusters:
    - name: app
      type: STATIC
      load_assignment: {cluster_name: app, endpoints: []}
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: {http2_protocol_options: {}}
%s
`, indent(hosts, 18), indent(clusters, 2))
}

// The routes of the documentation, in a real Envoy: the page and the Frontend
// API are reached without a check, everything else is not.
func TestTheDocumentedRoutesWorkInEnvoy(t *testing.T) {
	t.Parallel()
	testenvoy.Binary(t)
	forwarded := make(chan http.Header, 8)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded <- r.Header
		fmt.Fprint(w, "clerk "+r.RequestURI)
	}))
	defer upstream.Close()
	path, clerk, s := instanceDocument(t, "  proxy_url: https://app.example.com/__clerk\ntrusted_proxies: 127.0.0.1\n")
	logger := (&serveOptions{}).logger()
	gate, err := (&serveOptions{config: path, http: "127.0.0.1:0", frontend: upstream.URL}).open(newRegistry(), logger)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	pages, err := startPages(t.Context(), "127.0.0.1:0", gate, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer pages.close()
	envoy := testenvoy.Start(t, envoyBootstrap(t, pages.address()))
	at := envoy.Listener(t, "edge")
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/__clerkgate/sessions", 200, s.ID},
		{"GET", "/__clerkgate/sessions/signed-out", 200, "signed_out"},
		{"GET", "/__clerk/v1/client?a=b", 200, "clerk /v1/client?a=b"},
		{"GET", "/__clerk/..%2f", 400, "proxy_path_mismatch"},
		{"GET", "/__clerkgate/sessionsx", 403, ""},
		{"GET", "/__clerkx", 403, ""},
		{"GET", "/", 403, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+at+c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.example.com"
		r.Header.Set("X-Forwarded-For", "6.6.6.6") // which Envoy puts the peer's address behind
		r.Header.Set("Cookie", "__session="+clerk.Mint(s, clerktest.Token{}))
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s: %d %s, %v", c.target, response.StatusCode, body, err)
		}
	}
	header := <-forwarded
	if _, err := netip.ParseAddr(header.Get("X-Forwarded-For")); err != nil || header.Get("X-Forwarded-For") == "6.6.6.6" || header.Get("Clerk-Secret-Key") != clerk.SecretKey() {
		t.Errorf("the Frontend API saw a request for %q", header["X-Forwarded-For"])
	}
}
