package testingress

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Ports of the Services in examples/ingress.
const (
	GRPCPort        = 9000
	ForwardAuthPort = 9001
	AppPort         = 3000
)

// Gate is a running "clerkgate serve", which ends with the test.
type Gate struct {
	// Services are its addresses, by the port of the Service.
	Services map[int]string
	// Process is the command.
	Process *testprocess.Process
}

// Serve runs the command that CLERKGATE_BIN names by a document, with variables of the
// environment.
func Serve(tb testing.TB, document string, environment ...string) *Gate {
	tb.Helper()
	binary := testprocess.Binary(tb, "CLERKGATE_BIN", "clerkgate", "") // one on the PATH may be of another version
	path := filepath.Join(tb.TempDir(), "clerkgate.yaml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		tb.Fatal(err)
	}
	g := &Gate{Services: map[int]string{GRPCPort: testprocess.Address(tb)}}
	admin := testprocess.Address(tb)
	args := []string{"serve", "--config", path, "--grpc", g.Services[GRPCPort], "--admin", admin, "--drain", "0s",
		"--timeout", testprocess.Patience.String(), "--log-level", "error"}
	if hasForwardAuth(tb, binary) {
		g.Services[ForwardAuthPort] = testprocess.Address(tb)
		args = append(args, "--forward-auth", g.Services[ForwardAuthPort], "--forward-auth-timeout", testprocess.Patience.String())
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), environment...)
	g.Process = testprocess.Start(tb, "clerkgate", cmd)
	for _, address := range g.Services {
		g.Process.AwaitListening(tb, address)
	}
	if err := testprocess.Poll(func() (bool, error) { return false, ready("http://" + admin + "/readyz") }); err != nil {
		tb.Fatalf("clerkgate does not get ready: %v", err)
	}
	return g
}

// Answers skips the test, or fails it where CLERKGATE_FULL is 1, if the command does not
// answer on a port of the Service.
func (g *Gate) Answers(tb testing.TB, port int) {
	tb.Helper()
	if g.Services[port] == "" {
		testprocess.Missing(tb, "this clerkgate has no --forward-auth")
	}
}

// hasForwardAuth reports whether the command answers forward auth.
func hasForwardAuth(tb testing.TB, binary string) bool {
	tb.Helper()
	help, err := exec.CommandContext(tb.Context(), binary, "serve", "--help").CombinedOutput()
	if err != nil {
		tb.Fatalf("%s serve --help: %v", binary, err)
	}
	return strings.Contains(string(help), "--forward-auth")
}

func ready(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
