package extauthz

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/clerkgate/clerkgate/internal/testenvoy"
)

// edge is one listener of the Envoy under test.
type edge struct {
	Name string
	// Authz is the cluster asked.
	Authz string
	// Timeout of a check. Default: 10s, so that a busy machine changes nothing.
	Timeout string
	// Manager and Filter are further settings, in YAML's flow style.
	Manager, Filter string
	// Buffer is how many bytes Envoy holds. Default: its own, 1 MiB.
	Buffer int
}

// cluster is one authorization server, by its addresses.
type cluster struct {
	Name      string
	Addresses []string
	Extra     string
}

// peers is an Envoy and what it talks to.
type peers struct {
	*testenvoy.Envoy
	upstream *upstream
}

// startEnvoy runs an Envoy in front of a recording upstream.
func startEnvoy(t *testing.T, edges []edge, clusters []cluster) *peers {
	t.Helper()
	testenvoy.Binary(t)
	p := &peers{upstream: &upstream{}}
	app := httptest.NewServer(p.upstream)
	t.Cleanup(app.Close)
	p.Envoy = testenvoy.Start(t, render(t, edges, clusters, app.Listener.Addr().String()))
	return p
}

func render(t *testing.T, edges []edge, clusters []cluster, app string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/envoy.yaml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	tmpl := template.Must(template.New("envoy").Funcs(template.FuncMap{"socket": socket}).Parse(string(text)))
	if err := tmpl.Execute(&out, map[string]any{"Edges": edges, "Clusters": clusters, "App": app}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// socket writes an address as Envoy's configuration has it.
func socket(address string) (string, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return fmt.Sprintf("{ pipe: { path: %q } }", path), nil
	}
	host, port, err := net.SplitHostPort(address)
	return fmt.Sprintf("{ socket_address: { address: %s, port_value: %s } }", host, port), err
}

// send writes one HTTP/1.1 request as it stands and returns the answer. Lines
// are separated by "\n"; Host and Connection are added.
func (p *peers) send(t *testing.T, edge, lines string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", p.Listener(t, edge))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := lines + "\nHost: app.example.com\n\n"
	if strings.Contains(lines, "\nHost:") {
		request = lines + "\n\n"
	}
	if _, err := conn.Write([]byte(strings.ReplaceAll(request, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("reading the answer to %q: %v", lines, err)
	}
	response.Body = readAll(t, response)
	return response
}

// readAll reads the body while the connection is open.
func readAll(t *testing.T, response *http.Response) io.ReadCloser {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return io.NopCloser(bytes.NewReader(body))
}
