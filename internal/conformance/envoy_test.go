package conformance

import (
	"context"
	"strconv"
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

// envoyManager lets requests of any size through to the gate, and shows which rule
// refused.
const envoyManager = `
                max_request_headers_kb: 8192
                local_reply_config:
                  mappers:
                    - filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 100, runtime_key: none } } } }
                      headers_to_add:
                        - header: { key: x-clerkgate-rule, value: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:rule)%" }`

// startEnvoy runs a gate for each configuration behind a real Envoy. settings
// are further lines of its connection manager.
func startEnvoy(t *testing.T, title, settings string, configs []setup.Config, upstream string) surface {
	t.Helper()
	testenvoy.Binary(t) // skips early
	var listeners []testenvoy.Listener
	clusters := []testenvoy.Cluster{{Name: "app", Address: upstream}}
	for i, config := range configs {
		authz := "authz" + strconv.Itoa(i)
		listeners = append(listeners, testenvoy.Listener{Name: "gate" + strconv.Itoa(i), Manager: envoyManager + settings, Authz: authz, StatusOnError: "BadGateway", Cluster: "app"})
		clusters = append(clusters, testenvoy.Cluster{Name: authz, Address: serveAuthz(t, config), HTTP2: true})
	}
	e := testenvoy.Start(t, testenvoy.Bootstrap(listeners, clusters))
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
