// Package proxies has a configuration for each proxy that asks clerkgate by forward
// auth, as users paste it, and makes of it one for other addresses.
package proxies

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed nginx.conf clerkgate-headers.conf clerkgate-answer.conf haproxy.cfg clerkgate.lua Caddyfile envoy.yaml traefik.yaml
var files embed.FS

// Places are where a proxy listens, and what it talks to: each a host and port.
type Places struct {
	Listen, App, ForwardAuth string
	// Health is the admin address of clerkgate, which HAProxy and Envoy look at. Default:
	// they do not.
	Health string
	// Pages is where clerkgate serves the session page, for nginx and HAProxy. Default:
	// it does not.
	Pages string
}

// proxy is what has to be known of a proxy to run it elsewhere.
type proxy struct {
	// main is the file to start it by, and others are those it reads.
	main   string
	others []string
	// edits are texts of the main file and what stands in their place. Each text must be
	// there.
	edits func(p Places, dir string) []string
}

// optional matches the start of a line that is commented out, which has no space after
// its #. In the files such lines are those for the session page.
var optional = regexp.MustCompile(`(?m)^([ \t]*)#([^ \n])`)

// withPages is a configuration that sends the paths of the session page to it.
func withPages(config, pages string) (string, error) {
	with := optional.ReplaceAllString(config, "$1$2")
	if with == config || !strings.Contains(with, "127.0.0.1:9080") {
		return "", errors.New("no lines for the session page")
	}
	return strings.ReplaceAll(with, "127.0.0.1:9080", pages), nil
}

var proxies = map[string]proxy{
	"nginx": {"nginx.conf", []string{"clerkgate-headers.conf", "clerkgate-answer.conf"}, func(p Places, dir string) []string {
		return []string{
			"events {", "pid " + dir + "/nginx.pid;\nerror_log stderr warn;\ndaemon off;\nevents {",
			"http {\n", "http {\n\taccess_log off;\n\tclient_body_temp_path " + dir + ";\n\tproxy_temp_path " + dir + ";\n\tfastcgi_temp_path " + dir + ";\n\tuwsgi_temp_path " + dir + ";\n\tscgi_temp_path " + dir + ";\n",
			"127.0.0.1:9001", p.ForwardAuth, "127.0.0.1:3000", p.App, "listen 80;", "listen " + p.Listen + ";",
		}
	}},
	"haproxy": {"haproxy.cfg", []string{"clerkgate.lua"}, func(p Places, dir string) []string {
		edits := []string{
			"/etc/haproxy/", dir + "/", "/run/haproxy/", dir + "/",
			"bind :80", "bind " + p.Listen, "127.0.0.1:9001", p.ForwardAuth, "127.0.0.1:3000", p.App,
		}
		if _, port, err := net.SplitHostPort(p.Health); err == nil {
			return append(edits, "check port 9090", "check port "+port)
		}
		return append(edits, "default-server check port 9090 inter 1s fall 1 rise 1 on-marked-down shutdown-sessions", "")
	}},
	"caddy": {"Caddyfile", nil, func(p Places, dir string) []string {
		host, port, _ := net.SplitHostPort(p.Listen)
		return []string{
			"\napp.example.com {", "\n{\n\tadmin off\n}\n\nhttp://:" + port + " {\n\tbind " + host,
			"127.0.0.1:9001", p.ForwardAuth, "127.0.0.1:3000", p.App,
		}
	}},
	"traefik": {"traefik.yaml", nil, func(p Places, _ string) []string {
		return []string{"127.0.0.1:9001", p.ForwardAuth, "127.0.0.1:3000", p.App}
	}},
	"envoy": {"envoy.yaml", nil, func(p Places, dir string) []string {
		clerkgate, port := endpoint("127.0.0.1:9001")+" } }, health_check_config: { port_value: ", "9090"
		edits := []string{
			"port_value: 9901", "port_value: 0",
			endpoint("127.0.0.1:10000"), endpoint(p.Listen), endpoint("127.0.0.1:3000"), endpoint(p.App),
		}
		if p.Health == "" {
			edits = append(edits, envoyHealth, "")
		} else {
			_, port, _ = net.SplitHostPort(p.Health)
		}
		return append(edits, clerkgate+"9090", clerkgate+port, endpoint("127.0.0.1:9001"), endpoint(p.ForwardAuth))
	}},
}

// envoyHealth is how envoy.yaml has the health of clerkgate looked at.
const envoyHealth = `      health_checks:
        - timeout: 1s
          interval: 1s
          unhealthy_threshold: 2
          healthy_threshold: 1
          no_traffic_interval: 1s
          http_health_check: { path: /readyz }
`

// endpoint is an address as Envoy writes it.
func endpoint(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return "address: " + host + ", port_value: " + port
}

// Write writes the configuration of a proxy ("nginx", "haproxy", "caddy", "traefik", "envoy") for
// other places into a folder, and returns the file to start the proxy by. It fails where
// the file that users paste has not what would have to be changed.
func Write(name string, p Places, dir string) (string, error) {
	of, ok := proxies[name]
	if !ok {
		return "", fmt.Errorf("no configuration for %q", name)
	}
	edits := of.edits(p, dir)
	for _, file := range append([]string{of.main}, of.others...) {
		text, err := files.ReadFile(file)
		if err != nil {
			return "", err
		}
		edited := string(text)
		for i := 0; i < len(edits); i += 2 {
			if file == of.main && !strings.Contains(edited, edits[i]) {
				return "", fmt.Errorf("%s lacks %q", file, edits[i])
			}
			edited = strings.ReplaceAll(edited, edits[i], edits[i+1])
		}
		if file == of.main && p.Pages != "" {
			if edited, err = withPages(edited, p.Pages); err != nil {
				return "", fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(edited), 0o644); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, of.main), nil
}
