package extauthz

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/test/bufconn"

	"github.com/clerkgate/clerkgate/policy"
)

// now is the instant of every test.
var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// deciderFunc decides by a function.
type deciderFunc func(context.Context, *policy.Request) policy.Decision

func (f deciderFunc) Decide(ctx context.Context, r *policy.Request) policy.Decision { return f(ctx, r) }

// fixed decides the same for every request.
func fixed(d policy.Decision) Decider {
	return deciderFunc(func(context.Context, *policy.Request) policy.Decision { return d })
}

// bearers signs in whoever says "Authorization: Bearer <name>" with a name
// that is here.
type bearers map[string]policy.AuthState

func (b bearers) Authenticate(_ context.Context, r *policy.Request, _ policy.TokenTypes, _ time.Time) policy.AuthState {
	for _, h := range r.Headers {
		if name, ok := strings.CutPrefix(h.Value, "Bearer "); ok && strings.EqualFold(h.Name, "Authorization") {
			if state, ok := b[name]; ok {
				return state
			}
			return policy.AuthState{Reason: policy.ReasonTokenInvalid, Presented: true}
		}
	}
	return policy.AuthState{Reason: policy.ReasonSessionMissing}
}

func signedIn(userID string) policy.AuthState {
	return policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: &policy.Principal{
		TokenType: policy.SessionToken, UserID: userID, SessionID: "sess_1", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:member",
	}}
}

// newPolicy compiles a policy for tests.
func newPolicy(tb testing.TB, config policy.Config, auth policy.Authenticator) *policy.Policy {
	tb.Helper()
	p, err := policy.New(config, policy.Deps{
		Authenticator: auth,
		Instance:      policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}},
		Now:           func() time.Time { return now },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// newServer is a server whose checks have time, unless the test says how long: a
// busy machine changes nothing.
func newServer(tb testing.TB, p Decider, o Options) *Server {
	tb.Helper()
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	s, err := New(p, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// serve answers checks on listener until the test ends.
func serve(tb testing.TB, listener net.Listener, s *Server, o ServeOptions) (*grpc.Server, *health.Server) {
	tb.Helper()
	g, h := NewGRPC(s, o)
	Ready(h, true)
	done := make(chan error, 1)
	go func() { done <- g.Serve(listener) }()
	tb.Cleanup(func() {
		g.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // a test that skips stops it before it began
			tb.Errorf("serving: %v", err)
		}
	})
	return g, h
}

// listenTCP opens a loopback port.
func listenTCP(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := Listen(tb.Context(), "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

// upstream records the requests it gets.
type upstream struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, r)
	w.Header().Add("Set-Cookie", "upstream=1")
	w.WriteHeader(http.StatusOK)
}

// take returns the requests since the last call.
func (u *upstream) take() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.requests
	u.requests = nil
	return taken
}

// dial connects to a server in memory, through the gRPC server as it is run.
func dial(tb testing.TB, s *Server) authv3.AuthorizationClient {
	tb.Helper()
	listener := bufconn.Listen(1 << 20)
	serve(tb, listener, s, ServeOptions{})
	return authv3.NewAuthorizationClient(dialListener(tb, listener))
}

func dialListener(tb testing.TB, listener *bufconn.Listener) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}
