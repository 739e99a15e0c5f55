package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what the Caddyfile uses

	_ "github.com/clerkgate/clerkgate/caddyplugin" // clerk_auth
	"github.com/clerkgate/clerkgate/internal/clerktest"
)

//go:embed policy.yaml
var policyDocument []byte

//go:embed Caddyfile
var caddyfile []byte

// patience is how long a piece may take to start.
const patience = 20 * time.Second

// stack is the running demo.
type stack struct {
	ports ports
	clerk *clerktest.Instance
	// homes are the proxies of this host, and what became of them.
	homes []standing
	// closers undo what was started, last first.
	closers []func()
}

// start starts all pieces on the usual ports, or on free ones. Those are only
// likely to stay free until they are listened on, so that it tries again where
// one was not.
func start(free bool) (s *stack, err error) {
	if !free {
		return startOn(usual)
	}
	for range 3 {
		if s, err = startOn(ports{}); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return s, err
}

func startOn(p ports) (*stack, error) {
	p, err := listenable(p)
	if err != nil {
		return nil, err
	}
	s := &stack{ports: p}
	for _, piece := range []struct {
		name  string
		start func() error
	}{
		{"the Clerk instance", s.startClerk}, {"the app", s.startUpstream}, {"the policy", s.writePolicy},
		{"the server", s.startServer}, {"Caddy", s.startCaddy},
	} {
		if err := piece.start(); err != nil {
			s.close()
			return nil, fmt.Errorf("starting %s: %w", piece.name, err)
		}
	}
	s.startHomes()
	return s, nil
}

// close stops all pieces, last first.
func (s *stack) close() {
	for _, undo := range slices.Backward(s.closers) {
		undo()
	}
}

func (s *stack) onClose(f func()) { s.closers = append(s.closers, f) }

func (s *stack) startClerk() (err error) {
	s.clerk, err = clerktest.New(clerktest.Options{
		Addr:        address(s.ports.Clerk),
		FrontendURL: clerktest.Itself,
		Origins:     []string{origin(s.ports.Caddy), origin(s.ports.Envoy), origin(s.ports.Nginx), origin(s.ports.HAProxy)},
	})
	if err == nil {
		s.onClose(s.clerk.Close)
	}
	return err
}

func (s *stack) startUpstream() error {
	return s.serve(s.ports.Upstream, upstream(s.clerk.FrontendURL()))
}

// serve serves by HTTP until the demo is closed.
func (s *stack) serve(port int, handler http.Handler) error {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	go server.Serve(listener) //nolint:errcheck // it ends with close
	s.onClose(func() { server.Close() })
	return nil
}

// writePolicy puts the policy where Caddy reads it, and its values into the
// environment.
func (s *stack) writePolicy() error {
	dir, err := os.MkdirTemp("", "clerkgate-demo-")
	if err != nil {
		return err
	}
	s.onClose(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "policy.yaml")
	for name, value := range map[string]string{
		"DEMO_PUBLISHABLE_KEY": s.clerk.PublishableKey(), "DEMO_SECRET_KEY": s.clerk.SecretKey(), "DEMO_CLERK_URL": s.clerk.URL(),
		"DEMO_CADDY_ORIGIN": origin(s.ports.Caddy), "DEMO_ENVOY_ORIGIN": origin(s.ports.Envoy),
		"DEMO_NGINX_ORIGIN": origin(s.ports.Nginx), "DEMO_HAPROXY_ORIGIN": origin(s.ports.HAProxy),
		"DEMO_UPSTREAM": address(s.ports.Upstream), "DEMO_POLICY": path, "DEMO_DIR": dir,
		"XDG_DATA_HOME": dir, "XDG_CONFIG_HOME": dir, // where Caddy keeps things
	} {
		if err := s.setenv(name, value); err != nil {
			return err
		}
	}
	return os.WriteFile(path, policyDocument, 0o600)
}

// setenv sets a variable until the demo is closed.
func (s *stack) setenv(name, value string) error {
	before, was := os.LookupEnv(name)
	s.onClose(func() {
		if was {
			os.Setenv(name, before) //nolint:errcheck // it was set before
		} else {
			os.Unsetenv(name) //nolint:errcheck // the name is good
		}
	})
	return os.Setenv(name, value)
}

func (s *stack) startCaddy() error {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	s.onClose(func() { caddy.Stop() }) //nolint:errcheck // the process ends
	return caddy.Load(config, true)
}
