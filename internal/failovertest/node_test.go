package failovertest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// drain is how long a node that is told to stop goes on.
const drain = 3 * time.Second

// document is the policy of all nodes: what the requests of the load are about.
const document = `
clerk:
  publishable_key: %s
  jwt_key: %q
  authorized_parties: [` + origin + `]
trusted_proxies: [127.0.0.1]
rules:
  - name: home
    match: { path: / }
    access: public
  - name: admin
    match: { path: "/admin/:path*" }
    require: { role: org:admin }
`

// writeDocument writes the policy for an instance.
func writeDocument(t *testing.T, clerk *clerktest.Instance) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clerkgate.yaml")
	text := fmt.Sprintf(document, clerk.PublishableKey(), clerk.PublicKeyPEM())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// node is a clerkgate server. Its addresses stay the same when it is started again.
type node struct {
	*testprocess.Process
	// owner is the test that its processes end with.
	owner                     *testing.T
	name, document            string
	grpc, forwardAuth, health string
}

// startNode runs a node and waits until it is ready.
func startNode(t *testing.T, name, document string) *node {
	t.Helper()
	n := &node{owner: t, name: name, document: document, grpc: testprocess.Address(t), forwardAuth: testprocess.Address(t), health: testprocess.Address(t)}
	n.start(t)
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	binary := testprocess.Binary(t, "CLERKGATE_BIN", "clerkgate", "") // one on the PATH may be of another version
	n.Process = testprocess.Start(n.owner, n.name, exec.Command(binary, "serve", "--config", n.document, "--log-level", "warn",
		"--grpc", n.grpc, "--forward-auth", n.forwardAuth, "--admin", n.health, "--drain", drain.String()))
	n.owner.Cleanup(n.Process.Kill) // no drain, nor whatever it was stopped by
	n.AwaitListening(t, n.grpc, n.forwardAuth, n.health)
	if err := testprocess.Poll(func() (final bool, err error) { _, err = n.get("/readyz"); return false, err }); err != nil {
		t.Fatalf("%s does not get ready: %v", n.name, err)
	}
}

func (n *node) get(path string) (string, error) {
	response, err := (&http.Client{Timeout: testprocess.Patience}).Get("http://" + n.health + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

var decided = regexp.MustCompile(`(?m)^clerkgate_decisions_total\{.*\} (\S+)$`)

// decisions is how many checks the node has decided since it was started.
func (n *node) decisions() (sum float64, err error) {
	metrics, err := n.get("/metrics")
	for _, line := range decided.FindAllStringSubmatch(metrics, -1) {
		value, bad := strconv.ParseFloat(line[1], 64)
		if bad != nil {
			return 0, bad
		}
		sum += value
	}
	return sum, err
}

// awaitChecks waits until the proxy asks the node: for more than it has decided now.
func (n *node) awaitChecks(t *testing.T) {
	t.Helper()
	before, err := n.decisions()
	if err == nil {
		err = testprocess.Poll(func() (final bool, err error) {
			now, err := n.decisions()
			if err == nil && now < before+checksOfService {
				err = fmt.Errorf("%v checks, after %v", now, before)
			}
			return false, err
		})
	}
	if err != nil {
		t.Fatalf("%s is not asked: %v", n.name, err)
	}
}

// checksOfService are so many that a node has its part of the load.
const checksOfService = 20
