package oracletest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// edge is a proxy with a gate in front of all servers.
type edge struct {
	name string
	// plain and tls are where it listens for each server, by the server's name. tls
	// takes HTTP/3 too. Envoy has plain only.
	plain, tls map[string]string
}

// gated is something that is one for most servers, and another for those that take
// something off the path.
type gated[T any] struct{ plain, mounted T }

func (g gated[T]) of(u *upstream) T {
	if u.mounted {
		return g.mounted
	}
	return g.plain
}

// startCaddy runs a Caddy with a site for each server.
func startCaddy(t *testing.T, policies gated[string], upstreams []*upstream) *edge {
	t.Helper()
	dir := t.TempDir()
	certificate, key := writeCertificate(t, dir)
	e := &edge{name: "caddy", plain: map[string]string{}, tls: map[string]string{}}
	text := strings.Builder{}
	text.WriteString(caddyGlobal)
	var all []string
	for _, u := range upstreams {
		plain, tls, policy := caddyAddress(t), caddyAddress(t), policies.of(u)
		site := u.site
		if site == "" {
			site = "reverse_proxy " + u.address
		}
		fmt.Fprintf(&text, "http://:%s {\n\tclerk_auth %s\n\t%s\n}\n", port(plain), policy, site)
		fmt.Fprintf(&text, "https://:%s {\n\ttls %s %s\n\tclerk_auth %s\n\t%s\n}\n", port(tls), certificate, key, policy, site)
		e.plain[u.name], e.tls[u.name] = plain, tls
		all = append(all, plain, tls)
	}
	file := write(t, dir, "Caddyfile", text.String())
	testprocess.Start(t, "Caddy", testprocess.Caddy(t, file, dir)).AwaitListening(t, all...)
	return e
}

// caddyHost is a loopback address of Caddy's own. On the usual one the ports that
// are handed out are held for TCP alone, and HTTP/3 needs UDP.
const caddyHost = "127.0.0.2"

func caddyAddress(t *testing.T) string {
	t.Helper()
	return caddyHost + ":" + port(testprocess.Address(t))
}

const caddyGlobal = `
{
	admin off
	persist_config off
	auto_https off
	default_bind ` + caddyHost + `
	grace_period 5s
	log {
		level ERROR
	}
	servers {
		protocols h1 h2 h2c h3
	}
}
`

// startGate runs the server that Envoy asks.
func startGate(t *testing.T, policy string) string {
	t.Helper()
	grpc := testprocess.Address(t)
	cmd := exec.Command(testprocess.Binary(t, "CLERKGATE_BIN", "clerkgate", ""), "serve", "--config", policy,
		"--grpc", grpc, "--admin", testprocess.Address(t), "--drain", "0s", "--timeout", "10s", "--log-level", "error")
	testprocess.Start(t, "clerkgate", cmd).AwaitListening(t, grpc)
	return grpc
}

// startEnvoy runs an Envoy with a listener for each server. settings are further
// lines of its connection manager.
func startEnvoy(t *testing.T, name, settings string, gates gated[string], upstreams []*upstream) *edge {
	t.Helper()
	var listeners []testenvoy.Listener
	clusters := []testenvoy.Cluster{{Name: "gate", Address: gates.plain, HTTP2: true}, {Name: "gate-mounted", Address: gates.mounted, HTTP2: true}}
	e := &edge{name: name, plain: map[string]string{}}
	for _, u := range upstreams {
		if u.onlyCaddy {
			continue
		}
		listeners = append(listeners, testenvoy.Listener{
			Name: u.name, Manager: settings + "\n                internal_address_config: {}", Authz: gated[string]{"gate", "gate-mounted"}.of(u),
			Routes: "- { match: { prefix: / }, route: { cluster: " + u.name + " } }",
		})
		clusters = append(clusters, testenvoy.Cluster{Name: u.name, Address: u.address})
	}
	running := testenvoy.Start(t, testenvoy.Bootstrap(listeners, clusters))
	for _, u := range upstreams {
		if !u.onlyCaddy {
			e.plain[u.name] = running.Listener(t, u.name)
		}
	}
	return e
}

// hardened are the settings of envoy.yaml.example that bear on what is forwarded.
// The gate must hold without them too.
const hardened = `
                normalize_path: true
                merge_slashes: true
                path_with_escaped_slashes_action: REJECT_REQUEST
                strip_any_host_port: true
                strip_trailing_host_dot: true
                common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }`

// bare has what a site with WebSockets and old clients switches on.
const bare = `
                upgrade_configs: [ { upgrade_type: websocket } ]
                http_protocol_options: { accept_http_10: true, default_host_for_http_10: app.test }`

// writeCertificate makes a certificate that nobody needs to trust.
func writeCertificate(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"app.test", "admin.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return write(t, dir, "certificate.pem", encode("CERTIFICATE", der)), write(t, dir, "key.pem", encode("PRIVATE KEY", pkcs8))
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
