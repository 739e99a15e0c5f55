package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what the Caddyfile uses

	_ "github.com/clerkgate/clerkgate/caddyplugin" // clerk_auth
	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/setup"
)

//go:embed policy.yaml
var policyDocument []byte

//go:embed Caddyfile
var caddyfile []byte

//go:embed envoy.yaml
var envoyTemplate string

// patience is how long a piece may take to start.
const patience = 20 * time.Second

// tokenLifetime is longer than Clerk's minute, since nothing renews tokens yet.
const tokenLifetime = 10 * time.Minute

// ports are where the pieces listen, on this host.
type ports struct{ Caddy, Envoy, Authz, Clerk, Upstream int }

// stack is the running demo.
type stack struct {
	ports ports
	clerk *clerktest.Instance
	// envoy reports whether there is an Envoy.
	envoy bool
	// closers undo what was started, last first.
	closers []func()
}

// start starts all pieces.
func start(free bool) (s *stack, err error) {
	s = &stack{ports: ports{Caddy: 8080, Envoy: 8081, Authz: 9000, Clerk: 5500, Upstream: 3000}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if free {
		if s.ports, err = freePorts(); err != nil {
			return s, err
		}
	}
	for _, piece := range []struct {
		name  string
		start func() error
	}{
		{"the Clerk instance", s.startClerk}, {"the app", s.startUpstream}, {"the policy", s.writePolicy},
		{"the ext_authz server", s.startAuthz}, {"Caddy", s.startCaddy}, {"Envoy", s.startEnvoy},
	} {
		if err := piece.start(); err != nil {
			return s, fmt.Errorf("starting %s: %w", piece.name, err)
		}
	}
	return s, nil
}

func (s *stack) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

func (s *stack) onClose(f func()) { s.closers = append(s.closers, f) }

// freePorts asks the system for ports that nobody listens on.
func freePorts() (ports, error) {
	var p ports
	for _, port := range []*int{&p.Caddy, &p.Envoy, &p.Authz, &p.Clerk, &p.Upstream} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return p, err
		}
		defer listener.Close() // together, so that no port comes twice
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func origin(port int) string  { return "http://localhost:" + strconv.Itoa(port) }
func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func (s *stack) startClerk() (err error) {
	s.clerk, err = clerktest.New(clerktest.Options{
		Addr:          "localhost:" + strconv.Itoa(s.ports.Clerk),
		Origins:       []string{origin(s.ports.Caddy), origin(s.ports.Envoy)},
		TokenLifetime: tokenLifetime,
	})
	if err == nil {
		s.onClose(s.clerk.Close)
	}
	return err
}

func (s *stack) startUpstream() error {
	listener, err := net.Listen("tcp", address(s.ports.Upstream))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: upstream(s.clerk.URL()), ReadHeaderTimeout: patience}
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
		"DEMO_UPSTREAM": address(s.ports.Upstream), "DEMO_POLICY": path, "DEMO_DIR": dir,
		"XDG_DATA_HOME": dir, "XDG_CONFIG_HOME": dir,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return os.WriteFile(path, policyDocument, 0o600)
}

func (s *stack) startAuthz() error {
	config, _, err := setup.LoadFile(os.Getenv("DEMO_POLICY"))
	if err != nil {
		return err
	}
	gate, err := setup.New(*config, setup.Options{})
	if err != nil {
		return err
	}
	s.onClose(gate.Close)
	ctx, stop := context.WithCancel(context.Background())
	s.onClose(stop)
	gate.Start(ctx)
	authz, err := extauthz.New(gate.Policy, extauthz.Options{})
	if err != nil {
		return err
	}
	server, health := extauthz.NewGRPC(extauthz.ServeOptions{})
	authz.Register(server)
	extauthz.Ready(health, true)
	listener, err := extauthz.Listen(ctx, address(s.ports.Authz))
	if err != nil {
		return err
	}
	go server.Serve(listener) //nolint:errcheck // it ends with Stop
	s.onClose(server.Stop)
	return await("keys", gate.Ready)
}

func (s *stack) startCaddy() error {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	s.onClose(func() { caddy.Stop() }) //nolint:errcheck // the process ends
	return caddy.Load(config, true)
}

// startEnvoy starts an Envoy where CLERKGATE_ENVOY or the PATH has one.
func (s *stack) startEnvoy() error {
	binary := os.Getenv("CLERKGATE_ENVOY")
	if binary == "" {
		found, err := exec.LookPath("envoy")
		if errors.Is(err, exec.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		binary = found
	}
	var config bytes.Buffer
	if err := template.Must(template.New("envoy").Parse(envoyTemplate)).Execute(&config, s.ports); err != nil {
		return err
	}
	cmd := exec.Command(binary, "--config-yaml", config.String(), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	s.onClose(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = cmd.Wait()
	})
	s.envoy = true
	return await("Envoy", func() bool {
		conn, err := net.Dial("tcp", address(s.ports.Envoy))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// await waits for a piece to be there.
func await(name string, there func() bool) error {
	for deadline := time.Now().Add(patience); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("no %s after %s", name, patience)
		}
	}
	return nil
}
