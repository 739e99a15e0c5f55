package fleettest

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
)

// patience is how long a test waits for what has no time of its own, on a busy
// machine.
const patience = 30 * time.Second

func clerkgateBinary(t *testing.T) string {
	t.Helper()
	return testprocess.Binary(t, "CLERKGATE_BIN", "clerkgate", "") // one on the PATH may be of another version
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come about", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// node is a clerkgate server. Its addresses stay the same when it is started
// again.
type node struct {
	*testprocess.Process
	name              string
	config            string
	grpc, admin, http string
	// link is its way to Redis.
	link *testredis.Link
}

// newNode starts a node with a document of the fleet and further lines.
func (f *fleet) newNode(t *testing.T, name, more string) *node {
	t.Helper()
	n := &node{name: name, grpc: testprocess.Address(t), admin: testprocess.Address(t), http: testprocess.Address(t)}
	n.link = testredis.NewLink(t, f.redis.Addr)
	n.config = filepath.Join(t.TempDir(), "clerkgate.yaml")
	if err := os.WriteFile(n.config, []byte(f.document(n.link)+more), 0o600); err != nil {
		t.Fatal(err)
	}
	n.start(t)
	return n
}

// start runs the node and does not wait until it is ready.
func (n *node) start(t *testing.T) {
	t.Helper()
	n.Process = testprocess.Start(t, n.name, exec.Command(clerkgateBinary(t), "serve", "--config", n.config,
		"--grpc", n.grpc, "--admin", n.admin, "--http", n.http, "--drain", "0s", "--timeout", "10s", "--log-level", "warn"))
}

// ready asks the node.
func (n *node) ready() bool {
	status, _ := n.get("/readyz")
	return status == http.StatusOK
}

// awaitReady waits until the node is ready.
func (n *node) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "readiness of "+n.name, n.ready)
}

func (n *node) get(path string) (status int, body string) {
	return get("http://" + n.admin + path)
}

// get reads a page; status 0 is no answer.
func get(url string) (status int, body string) {
	response, err := (&http.Client{Timeout: patience}).Get(url)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	return response.StatusCode, string(text)
}

// metric is the value of a metric, named with its labels, as the node shows it.
func (n *node) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, body := n.get("/metrics")
	return metricIn(t, body, name)
}

func metricIn(t *testing.T, body, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("there is no metric %s in\n%s", name, body)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
