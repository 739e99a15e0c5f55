// Package testenvoy runs a real Envoy in tests.
package testenvoy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Envoy is a running process. It ends with the test.
type Envoy struct {
	// Admin is the host and port of the admin interface.
	Admin string

	process   *testprocess.Process
	accessLog *testprocess.Buffer
}

// Binary finds Envoy: by CLERKGATE_ENVOY, then on the PATH. Without one the
// test is skipped, or fails where CLERKGATE_FULL is 1.
func Binary(tb testing.TB) string {
	tb.Helper()
	return testprocess.Binary(tb, "CLERKGATE_ENVOY", "Envoy", "envoy")
}

// Start runs Envoy with a bootstrap in YAML and waits until it is ready. Ports
// may be 0; see Listener. The bootstrap must have an admin address.
func Start(tb testing.TB, bootstrap string) *Envoy {
	tb.Helper()
	binary, dir := Binary(tb), tb.TempDir()
	adminFile := filepath.Join(dir, "admin")
	e := &Envoy{accessLog: &testprocess.Buffer{}}
	cmd := exec.Command(binary, "-c", write(tb, dir, bootstrap), "--admin-address-path", adminFile,
		"--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--drain-time-s", "1")
	cmd.Stdout = e.accessLog
	e.process = testprocess.Start(tb, "Envoy", cmd)
	e.waitUntilReady(tb, adminFile)
	return e
}

// Validate checks a bootstrap without running it, and returns what Envoy says
// against it.
func Validate(tb testing.TB, bootstrap string) error {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), Binary(tb), "--mode", "validate", "-c", write(tb, tb.TempDir(), bootstrap)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Listener returns the address a listener is bound to. Of many, the last may be there
// a moment after Envoy is ready.
func (e *Envoy) Listener(tb testing.TB, name string) (address string) {
	tb.Helper()
	err := testprocess.Poll(func() (final bool, err error) {
		address, err = e.listener(tb, name)
		return false, err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return address
}

func (e *Envoy) listener(tb testing.TB, name string) (string, error) {
	tb.Helper()
	var list struct {
		ListenerStatuses []struct {
			Name         string `json:"name"`
			LocalAddress struct {
				SocketAddress struct {
					Address   string `json:"address"`
					PortValue int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(e.Get(tb, "/listeners?format=json"), &list); err != nil {
		return "", fmt.Errorf("reading the listeners: %w", err)
	}
	for _, l := range list.ListenerStatuses {
		if at := l.LocalAddress.SocketAddress; l.Name == name {
			return net.JoinHostPort(at.Address, strconv.Itoa(at.PortValue)), nil
		}
	}
	return "", fmt.Errorf("no listener %q", name)
}

// Get reads a page of the admin interface.
func (e *Envoy) Get(tb testing.TB, path string) []byte {
	tb.Helper()
	body, err := e.get(path)
	if err != nil {
		tb.Fatalf("asking Envoy for %s: %v", path, err)
	}
	return body
}

func (e *Envoy) get(path string) ([]byte, error) {
	client := http.Client{Timeout: testprocess.Patience}
	response, err := client.Get("http://" + e.Admin + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

// Stat returns the value of a counter or gauge.
func (e *Envoy) Stat(tb testing.TB, name string) int {
	tb.Helper()
	for line := range strings.Lines(string(e.Get(tb, "/stats?filter=^"+regexp.QuoteMeta(name)+"$"))) {
		if found, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && found == name {
			n, err := strconv.Atoi(value)
			if err != nil {
				tb.Fatalf("stat %s is %q", name, value)
			}
			return n
		}
	}
	tb.Fatalf("no stat %q", name)
	return 0
}

// AccessLog waits for the line on standard output that holds text.
func (e *Envoy) AccessLog(tb testing.TB, text string) string {
	tb.Helper()
	var found string
	err := testprocess.Poll(func() (final bool, err error) {
		for line := range strings.Lines(e.accessLog.String()) {
			if strings.Contains(line, text) {
				found = line
				return false, nil
			}
		}
		return false, fmt.Errorf("no line with %q in the access log:\n%s", text, e.accessLog)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func (e *Envoy) waitUntilReady(tb testing.TB, adminFile string) {
	tb.Helper()
	err := testprocess.Poll(func() (final bool, err error) {
		select {
		case <-e.process.Exited:
			return true, errors.New("it ended")
		default:
		}
		address, err := os.ReadFile(adminFile)
		if err != nil || len(address) == 0 {
			return false, errors.Join(errors.New("no admin address yet"), err)
		}
		e.Admin = string(address)
		_, err = e.get("/ready")
		return false, err
	})
	if err != nil {
		tb.Fatalf("Envoy does not get ready: %v", err)
	}
}

func write(tb testing.TB, dir, bootstrap string) string {
	tb.Helper()
	path := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(path, []byte(bootstrap), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
