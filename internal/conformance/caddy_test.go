package conformance

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
)

// caddySurface is one Caddy with a server for each gate.
type caddySurface struct{ addresses []string }

func (s *caddySurface) name() string            { return "Caddy" }
func (s *caddySurface) address(gate int) string { return s.addresses[gate] }

// caddyBinary finds a Caddy with our module by CLERKGATE_CADDY. Without one the
// test is skipped, or fails where CLERKGATE_FULL is 1.
func caddyBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CLERKGATE_CADDY"); path != "" {
		return path
	}
	const missing = "there is no Caddy: set CLERKGATE_CADDY to one built with this module"
	if os.Getenv("CLERKGATE_FULL") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// object is a piece of Caddy's JSON.
type object = map[string]any

// startCaddy runs a gate for each configuration in a real Caddy.
func startCaddy(t *testing.T, configs []setup.Config, upstream string) surface {
	t.Helper()
	binary := caddyBinary(t)
	s := &caddySurface{}
	servers := object{}
	for i, config := range configs {
		s.addresses = append(s.addresses, testenvoy.FreeAddress(t))
		servers["gate"+strconv.Itoa(i)] = object{
			"listen":          []string{s.addresses[i]},
			"automatic_https": object{"disable": true},
			"routes":          []object{{"handle": caddyHandlers(t, config, upstream)}},
		}
	}
	runCaddy(t, binary, object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "WARN"}}},
		"apps":    object{"http": object{"servers": servers}},
	}, s.addresses)
	return s
}

func caddyHandlers(t *testing.T, config setup.Config, upstream string) []object {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	gate := object{}
	if err := json.Unmarshal(data, &gate); err != nil {
		t.Fatal(err)
	}
	gate["handler"] = "clerk_auth"
	set := func(name, value string) object { return object{"set": object{name: []string{value}}} }
	mark := set(ruleMark, "{http.clerk.rule}")
	mark["deferred"] = true
	return []object{
		{"handler": "headers", "response": mark},
		gate,
		{"handler": "reverse_proxy", "upstreams": []object{{"dial": upstream}}, "headers": object{"request": set(clientMark, "{http.clerk.client_ip}")}},
	}
}

// runCaddy runs Caddy until the test ends, and waits for its listeners.
func runCaddy(t *testing.T, binary string, config object, addresses []string) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "caddy.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(binary, "run", "--config", file)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended shows in the log
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-exited
		if t.Failed() {
			t.Logf("Caddy's log:\n%s", &log)
		}
	})
	for _, address := range addresses {
		if !answers(address, exited) {
			t.Fatalf("Caddy does not listen on %s", address)
		}
	}
}

// answers waits until somebody listens, for as long as the process lives.
func answers(address string, exited <-chan struct{}) bool {
	deadline := time.After(exchangeTimeout)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return true
		}
		select {
		case <-exited:
			return false
		case <-deadline:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}
