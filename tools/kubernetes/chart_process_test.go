package kubernetes_test

import (
	"bytes"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience with a process on a busy machine.
const patience = 30 * time.Second

// eventually waits until something is as it should be.
func eventually(t *testing.T, look func() (ok bool, seen string)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ok, seen := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("patience is at its end: %s", seen)
		}
	}
}

// process is a program that ends with the test.
type process struct {
	cmd    *exec.Cmd
	log    *log
	exited chan struct{}
}

// run starts a program. A test that fails shows what it said.
func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: &log{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		p.terminate(patience)
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, p.log)
		}
	})
	return p
}

// terminate tells the program to end as the kubelet does, and reports whether it has
// ended by itself.
func (p *process) terminate(grace time.Duration) bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.exited:
		return true
	case <-time.After(grace):
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exited
		return false
	}
}

// log is a buffer for a writer and readers at once.
type log struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.String()
}

// freeAddress returns a loopback address for a program to listen on. The UDP side of
// its port stays taken until the test ends, so that no other test is given it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		listener.Close()
		if held, err := net.ListenPacket("udp", address); err == nil {
			t.Cleanup(func() { held.Close() })
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}
