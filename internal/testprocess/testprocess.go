// Package testprocess runs programs in tests, which end with the test.
package testprocess

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience with a process on a busy machine, and the pause between two looks.
const (
	patience = 30 * time.Second
	pause    = 10 * time.Millisecond
)

// Binary finds a program by a variable of the environment. Without one the test
// is skipped, or fails where CLERKGATE_FULL is 1.
func Binary(tb testing.TB, variable, what string) string {
	tb.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	Missing(tb, fmt.Sprintf("there is no %s: set %s", what, variable))
	return ""
}

// Missing skips the test for the lack of a program, or fails it where
// CLERKGATE_FULL is 1.
func Missing(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("CLERKGATE_FULL") == "1" {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// Caddy is the command that runs the Caddy of CLERKGATE_CADDY by a configuration
// file, with everything that it keeps in a folder.
func Caddy(tb testing.TB, file, folder string) *exec.Cmd {
	tb.Helper()
	cmd := exec.Command(Binary(tb, "CLERKGATE_CADDY", "Caddy built with this module"), "run", "--config", file)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder, "HOME="+folder)
	return cmd
}

// Process is a program that runs.
type Process struct {
	// Log is what it writes to its standard error.
	Log *Buffer
	// Exited is closed once it has ended.
	Exited chan struct{}

	name string
	cmd  *exec.Cmd
}

// Start runs a command until the test ends. A test that fails shows its log.
func Start(tb testing.TB, name string, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{Log: &Buffer{}, Exited: make(chan struct{}), name: name, cmd: cmd}
	cmd.Stderr = p.Log
	if err := cmd.Start(); err != nil {
		tb.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		defer close(p.Exited)
		_ = cmd.Wait() // how it ended shows in the log
	}()
	tb.Cleanup(func() { p.stop(tb) })
	return p
}

func (p *Process) stop(tb testing.TB) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.Exited:
	case <-time.After(patience):
		p.Kill()
		tb.Errorf("%s did not stop when told to", p.name)
	}
	if tb.Failed() {
		tb.Logf("the log of %s:\n%s", p.name, p.Log)
	}
}

// Kill ends the process as a crash does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.Exited
}

// AwaitListening waits until the process listens on all addresses.
func (p *Process) AwaitListening(tb testing.TB, addresses ...string) {
	tb.Helper()
	deadline := time.After(patience)
	for _, address := range addresses {
		for !listens(address) {
			select {
			case <-p.Exited:
				tb.Fatalf("%s ended", p.name)
			case <-deadline:
				tb.Fatalf("%s does not listen on %s", p.name, address)
			case <-time.After(pause):
			}
		}
	}
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Buffer is a bytes.Buffer for a writer and readers at once.
type Buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}
