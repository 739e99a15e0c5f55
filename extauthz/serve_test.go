package extauthz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/clerkgate/clerkgate/policy"
)

func TestHealthFollowsTheLifeOfTheServer(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1 << 16)
	g, h := NewGRPC(newServer(t, fixed(policy.Decision{}), Options{}), ServeOptions{})
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	client := healthv1.NewHealthClient(dialListener(t, listener))
	expect := func(when string, want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", ServiceName} {
			got, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("%s: service %q is %v (%v), want %v", when, service, got.GetStatus(), err, want)
			}
		}
	}
	expect("at the start", healthv1.HealthCheckResponse_NOT_SERVING)
	Ready(h, true)
	expect("once ready", healthv1.HealthCheckResponse_SERVING)
	Ready(h, false)
	expect("no longer ready", healthv1.HealthCheckResponse_NOT_SERVING)
	Ready(h, true)

	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	watch, err := client.Watch(t.Context(), &healthv1.HealthCheckRequest{Service: ServiceName})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(stopped)
		Shutdown(ctx, g, h, time.Hour)
	}()
	for {
		update, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if update.GetStatus() == healthv1.HealthCheckResponse_NOT_SERVING {
			break
		}
	}
	expect("while draining", healthv1.HealthCheckResponse_NOT_SERVING)
	Ready(h, true)
	expect("made ready too late", healthv1.HealthCheckResponse_NOT_SERVING)
	cancel()
	<-stopped
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1 << 16)
	arrived, release := make(chan struct{}), make(chan struct{})
	g, h := NewGRPC(newServer(t, deciderFunc(func(context.Context, *policy.Request) policy.Decision {
		close(arrived)
		<-release
		return policy.Decision{Outcome: policy.Allow}
	}), Options{}), ServeOptions{})
	Ready(h, true)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	client := authv3.NewAuthorizationClient(dialListener(t, listener))
	answered := make(chan error, 1)
	go func() {
		response, err := client.Check(context.Background(), httpCheck(nil))
		if err == nil && !passes(response) {
			err = errors.New("refused")
		}
		answered <- err
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		Shutdown(context.Background(), g, h, 0)
	}()
	for { // until the stop is under way
		health, err := h.Check(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if health.GetStatus() == healthv1.HealthCheckResponse_NOT_SERVING {
			break
		}
		runtime.Gosched()
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the check under way: %v", err)
	}
	<-stopped
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAPanicOutsideOfAnAnswerDoesNotEndTheProcess(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	listener := bufconn.Listen(1 << 16)
	g, h := newGRPC(ServeOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	authv3.RegisterAuthorizationServer(g, panicking{})
	Ready(h, true)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn := dialListener(t, listener)
	_, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), httpCheck(nil))
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "boom") {
		t.Errorf("error %v", err)
	}
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	g.Stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "boom") {
		t.Errorf("log %s", log.String())
	}
}

type panicking struct {
	authv3.UnimplementedAuthorizationServer
}

func (panicking) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	panic("boom")
}

func TestReflectionIsOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		listener := bufconn.Listen(1 << 16)
		serve(t, listener, newServer(t, fixed(policy.Decision{}), Options{}), ServeOptions{Reflection: on})
		stream, err := reflectionv1.NewServerReflectionClient(dialListener(t, listener)).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err) // EOF: the server has answered already; Recv tells
		}
		answer, err := stream.Recv()
		if on && (err != nil || !strings.Contains(answer.String(), ServiceName)) {
			t.Errorf("on: %v, %v", answer, err)
		}
		if !on && status.Code(err) != codes.Unimplemented {
			t.Errorf("off: %v, %v", answer, err)
		}
	}
}

// TestAnOversizedCheckIsNotRead bounds what a peer can make the server decode.
func TestAnOversizedCheckIsNotRead(t *testing.T) {
	t.Parallel()
	client := dial(t, newServer(t, fixed(policy.Decision{Outcome: policy.Allow}), Options{}))
	sized := func(n int) *authv3.CheckRequest {
		return httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.Body = strings.Repeat("a", n)
		})
	}
	response, err := client.Check(t.Context(), sized(maxCheck))
	if err != nil || response.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("%v, %v, want a refusal with 503", response, err)
	}
	_, err = client.Check(t.Context(), sized(maxMessage))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v, want RESOURCE_EXHAUSTED", err)
	}
}

func TestConnectionsOverASocketFileDoNotAge(t *testing.T) {
	t.Parallel()
	local := ServeOptions{Local: true, MaxConnectionAge: time.Minute}
	if p := local.keepalive(); p.MaxConnectionAge != 0 {
		t.Errorf("local connections end after %v", p.MaxConnectionAge)
	}
	for own, want := range map[time.Duration]time.Duration{0: 30 * time.Minute, time.Minute: time.Minute} {
		remote := ServeOptions{MaxConnectionAge: own}
		if p := remote.keepalive(); p.MaxConnectionAge != want || p.MaxConnectionAgeGrace == 0 {
			t.Errorf("remote connections end after %v with a grace of %v, want %v", p.MaxConnectionAge, p.MaxConnectionAgeGrace, want)
		}
	}
}

func TestASocketFileIsSharedWithTheGroupAndRemovedAtTheEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authz.sock")
	listener, err := Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, want 0660", info.Mode().Perm())
	}
	if _, err := Listen(t.Context(), "unix:"+path); err == nil {
		t.Error("a socket in use was taken over")
	}
	g, _ := serve(t, listener, newServer(t, fixed(policy.Decision{Outcome: policy.Allow}), Options{}), ServeOptions{Local: true})
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), httpCheck(nil)); err != nil || !passes(response) {
		t.Errorf("response %v, error %v", response, err)
	}
	conn.Close()
	g.Stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestAStaleSocketIsReplacedAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as after a crash
	old.Close()
	listener, err := Listen(t.Context(), "unix:"+stale)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	listener.Close()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "unix:"+file); err == nil {
		t.Error("a file was replaced")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file is now %q (%v)", data, err)
	}
}

func TestAnAddressThatCannotBeListenedOnIsAnError(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1", "127.0.0.1:99999", "unix:/nowhere/at/all.sock", "unix:" + strings.Repeat("a", 200)} {
		if listener, err := Listen(t.Context(), address); err == nil {
			listener.Close()
			t.Errorf("%q: no error", address)
		}
	}
	if !IsLocal("unix:/run/x.sock") || IsLocal("127.0.0.1:9000") {
		t.Error("IsLocal")
	}
}

func TestAnAbstractSocketNeedsNoFile(t *testing.T) {
	t.Parallel()
	listener, err := Listen(t.Context(), fmt.Sprintf("unix:@clerkgate-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}
