// Package testprocess runs programs in tests, which end with the test.
package testprocess

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

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
	case <-time.After(Patience):
		p.Kill()
		tb.Errorf("%s did not stop when told to", p.name)
	}
	if tb.Failed() {
		tb.Logf("the log of %s:\n%s", p.name, p.Log)
	}
}

// Signal sends the process a signal, unless it has ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the process as a crash does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.Exited
}

// AwaitListening waits until the process listens on all addresses.
func (p *Process) AwaitListening(tb testing.TB, addresses ...string) {
	tb.Helper()
	for _, address := range addresses {
		err := Poll(func() (final bool, err error) {
			select {
			case <-p.Exited:
				return true, errors.New("it ended")
			default:
			}
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return false, err
		})
		if err != nil {
			tb.Fatalf("%s does not listen on %s: %v", p.name, address, err)
		}
	}
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
