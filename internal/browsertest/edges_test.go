package browsertest

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testproxy"
)

// site is an app behind a gate.
type site struct {
	// address is where browsers reach it.
	address  string
	config   setup.Config
	upstream string
}

// edges start the proxies that the scenarios go through.
var edges = map[string]func(t *testing.T, sites []site){
	"Caddy": startCaddy, "Envoy": startEnvoy, "nginx": forwardAuth("nginx"), "HAProxy": forwardAuth("haproxy"),
}

// forwardAuth starts a proxy for each site that asks by forward auth.
func forwardAuth(kind string) func(t *testing.T, sites []site) {
	return func(t *testing.T, sites []site) {
		t.Helper()
		for _, s := range sites {
			gate, err := setup.New(s.config, setup.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(gate.Close)
			handler, err := forwardauth.New(gate.Policy, forwardauth.Options{Trusts: gate.Policy.Trusts})
			if err != nil {
				t.Fatal(err)
			}
			checks := httptest.NewServer(handler)
			t.Cleanup(checks.Close)
			testproxy.Start(t, kind, proxies.Places{Listen: s.address, App: s.upstream, ForwardAuth: checks.Listener.Addr().String()}, behindTLS)
		}
	}
}

// behindTLS is a configuration for a proxy behind one that ends TLS, as the comments in it
// say.
func behindTLS(config string) string {
	return strings.NewReplacer(
		"# http-request set-var(txn.scheme) str(https) if { src 10.0.0.0/8 }", "http-request set-var(txn.scheme) str(https) if { src 127.0.0.0/8 }",
		"# 10.0.0.0/8 1;", "127.0.0.0/8 1;",
	).Replace(config)
}

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
	var listeners []testenvoy.Listener
	var clusters []testenvoy.Cluster
	for n, s := range sites {
		_, port, err := net.SplitHostPort(s.address)
		if err != nil {
			t.Fatal(err)
		}
		authz, app := "authz"+strconv.Itoa(n), "app"+strconv.Itoa(n)
		listeners = append(listeners, testenvoy.Listener{Name: "site" + strconv.Itoa(n), Port: port, Manager: "xff_num_trusted_hops: 1", Authz: authz, Cluster: app})
		clusters = append(clusters, testenvoy.Cluster{Name: authz, Address: serveAuthz(t, s.config), HTTP2: true}, testenvoy.Cluster{Name: app, Address: s.upstream})
	}
	testenvoy.Start(t, testenvoy.Bootstrap(listeners, clusters))
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
