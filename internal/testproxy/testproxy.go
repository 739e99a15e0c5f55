// Package testproxy runs real proxies in tests that ask for decisions by forward auth,
// with the configurations that users paste.
package testproxy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// commands run the proxies, by a configuration file and the folder it is in.
var commands = map[string]func(tb testing.TB, file, dir string) *exec.Cmd{
	"nginx": func(tb testing.TB, file, dir string) *exec.Cmd {
		return exec.Command(testprocess.Binary(tb, "CLERKGATE_NGINX", "nginx", "nginx"), "-c", file, "-e", "stderr", "-p", dir)
	},
	"haproxy": func(tb testing.TB, file, dir string) *exec.Cmd {
		return exec.Command(testprocess.Binary(tb, "CLERKGATE_HAPROXY", "HAProxy", "haproxy"), "-f", file)
	},
	"caddy": testCaddy,
	"envoy": func(tb testing.TB, file, dir string) *exec.Cmd {
		return exec.Command(testenvoy.Binary(tb), "-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--drain-time-s", "1")
	},
}

// testCaddy runs the Caddy of the tests, which has our module too.
func testCaddy(tb testing.TB, file, dir string) *exec.Cmd {
	cmd := testprocess.Caddy(tb, file, dir)
	cmd.Args = append(cmd.Args, "--adapter", "caddyfile")
	return cmd
}

// Names are the proxies that Start runs, which are also the names of their dialects. For
// Traefik it is a stand-in.
func Names() []string { return []string{"nginx", "haproxy", "caddy", "envoy", "traefik"} }

// Start runs a proxy until the test ends, and returns where it listens: anywhere, unless
// Places says where. Places also says what it talks to. What edit makes of its
// configuration is what it runs by.
func Start(tb testing.TB, name string, places proxies.Places, edit func(string) string) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "proxy") // short enough for the path of a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers are another user
		tb.Fatal(err)
	}
	if places.Listen == "" {
		places.Listen = testprocess.Address(tb)
	}
	file, err := proxies.Write(name, places, dir)
	if err != nil {
		tb.Fatal(err)
	}
	if edit != nil {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(edit(string(text))), 0o644)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if name == "traefik" {
		config, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		return startTraefik(tb, places, config)
	}
	testprocess.Start(tb, name, commands[name](tb, file, dir)).AwaitListening(tb, places.Listen)
	return places.Listen
}

// Places are those of an application and of a handler of forward auth.
func Places(app, forwardAuth net.Listener) proxies.Places {
	return proxies.Places{App: app.Addr().String(), ForwardAuth: forwardAuth.Addr().String()}
}

// WithIdentity is the configuration of a proxy with further headers of an identity, added
// as the comments in it say.
func WithIdentity(name, config string, headers []string) string {
	var after, lines string
	for _, header := range headers {
		if strings.Contains(config, header+" ") || strings.Contains(config, "- "+header+"\n") {
			continue // it is there
		}
		variable := strings.ToLower(strings.ReplaceAll(header, "-", "_"))
		switch name {
		case "nginx":
			after = "proxy_set_header X-Auth-Type $clerkgate_auth_type;\n"
			lines += fmt.Sprintf("auth_request_set $clerkgate_%[2]s $upstream_http_%[2]s; proxy_set_header %[1]s $clerkgate_%[2]s;\n", header, variable)
		case "caddy":
			after = "copy_headers "
			lines += header + " "
		case "envoy":
			after = "- { exact: x-auth-type, ignore_case: true }\n"
			lines += "                              - { exact: " + strings.ToLower(header) + ", ignore_case: true }\n"
		case "traefik":
			after = "- X-Auth-Type\n"
			lines += "          - " + header + "\n"
		}
	}
	return strings.Replace(config, after, after+lines, 1)
}

// Bare is the configuration of a proxy without what it refuses by itself, so that what
// we are asked is what the client sent.
func Bare(name, config string) string {
	if name != "envoy" {
		return config
	}
	for _, line := range []string{"normalize_path: true", "merge_slashes: true", "path_with_escaped_slashes_action: REJECT_REQUEST", "headers_with_underscores_action: REJECT_REQUEST"} {
		config = strings.Replace(config, line, "", 1)
	}
	return strings.Replace(config, "common_http_protocol_options:\n", "upgrade_configs: [ { upgrade_type: websocket } ]\n                common_http_protocol_options:\n", 1)
}

// Behind is the configuration of a proxy behind other proxies, which Caddy must know.
func Behind(name, config string, proxies []string) string {
	if name != "caddy" || len(proxies) == 0 {
		return config
	}
	return strings.Replace(config, "\tadmin off\n", "\tadmin off\n\tservers {\n\t\ttrusted_proxies static "+strings.Join(proxies, " ")+"\n\t}\n", 1)
}
