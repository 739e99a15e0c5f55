// Package testredis runs real Redis servers in tests: one, a cluster of three,
// or a pair watched by a sentinel. They keep nothing on disk, so a server that is
// started again is empty, unless it was told to SAVE: then it has that.
package testredis

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Server is a Redis process on a spare port of the loopback interface. It ends
// with the test.
type Server struct {
	// Addr is host and port. It stays the same when the server is started again.
	Addr string

	args []string
	log  *testprocess.Buffer
	// Set while the process runs.
	process *os.Process
	exited  chan struct{}
}

// Start runs a server, with further arguments as on its command line, and waits
// until it answers. Without redis-server, by CLERKGATE_REDIS_SERVER or on the PATH,
// the test is skipped, or fails where CLERKGATE_FULL is 1.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return run(tb, append([]string{"--dir", tb.TempDir(), "--save", "", "--appendonly", "no"}, args...)...)
}

// run starts a process on a spare port.
func run(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{Addr: testprocess.Address(tb), log: &testprocess.Buffer{}}
	tb.Cleanup(func() {
		s.kill()
		if tb.Failed() {
			tb.Logf("log of Redis at %s:\n%s", s.Addr, s.log)
		}
	})
	s.args = append([]string{testprocess.Binary(tb, "CLERKGATE_REDIS_SERVER", "Redis", "redis-server")}, append(args, "--bind", "127.0.0.1")...)
	if err := s.start(); err != nil {
		tb.Fatalf("starting Redis: %v", err)
	}
	return s
}

// Start runs a stopped server again at its address. It is empty.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatalf("starting Redis again at %s: %v", s.Addr, err)
	}
}

// Stop kills the server: its connections are reset, and nobody listens.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		tb.Fatalf("Redis at %s does not run", s.Addr)
	}
	s.kill()
}

// Restart stops the server and starts it, empty.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop(tb)
	s.Start(tb)
}

// Pause freezes the server: connections stay, new ones are accepted by the
// system, and nothing is answered.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Resume ends a Pause. What was sent meanwhile is answered.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

// Client returns a plain client of this server, which ends with the test.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	client := s.client()
	tb.Cleanup(func() { client.Close() })
	return client
}

// Do sends a command to this server and returns the answer.
func (s *Server) Do(tb testing.TB, args ...any) any {
	tb.Helper()
	answer, err := s.do(tb.Context(), args...)
	if err != nil {
		tb.Fatalf("%v at %s: %v", args, s.Addr, err)
	}
	return answer
}

func (s *Server) do(ctx context.Context, args ...any) (any, error) {
	client := s.client()
	defer client.Close()
	return client.Do(ctx, args...).Result()
}

func (s *Server) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: s.Addr, DisableIdentity: true, DialerRetries: 1, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// port of the server.
func (s *Server) port() int {
	_, port, _ := net.SplitHostPort(s.Addr)
	n, _ := strconv.Atoi(port)
	return n
}

// start runs the process and waits until it answers.
func (s *Server) start() error {
	cmd := exec.Command(s.args[0], append(s.args[1:len(s.args):len(s.args)], "--port", strconv.Itoa(s.port()))...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.process, s.exited = cmd.Process, exited
	go func() {
		defer close(exited)
		cmd.Wait() // how it ended shows in the log
	}()
	client := s.client()
	defer client.Close()
	return testprocess.Poll(func() (final bool, err error) {
		select {
		case <-exited:
			return true, fmt.Errorf("it ended:\n%s", s.log)
		default:
		}
		conn, err := net.DialTimeout("tcp", s.Addr, testprocess.Patience)
		if err != nil {
			return false, err
		}
		conn.Close()
		// Even a sentinel, and a server that asks for a password, answers.
		err = client.Ping(context.Background()).Err()
		if redis.HasErrorPrefix(err, "NOAUTH") {
			err = nil
		}
		return false, err
	})
}

// kill ends the process, if there is one, also where it is frozen.
func (s *Server) kill() {
	if s.process == nil {
		return
	}
	s.process.Kill()
	<-s.exited
	s.process = nil
}

func (s *Server) signal(tb testing.TB, signal os.Signal) {
	tb.Helper()
	if s.process == nil {
		tb.Fatalf("Redis at %s does not run", s.Addr)
	}
	if err := s.process.Signal(signal); err != nil {
		tb.Fatalf("signalling Redis: %v", err)
	}
}
