package setup

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

// Options are what a host brings along. Everything has a default.
type Options struct {
	// Session is an authenticator that outlives this gate, with its keys and
	// verified tokens. Default: one of the gate's own.
	Session *session.Authenticator
	// Limiter outlives this gate, with its counts. Default: one in memory.
	Limiter policy.Limiter
	// Upstream outlives this gate, with the tokens and keys it has. Default: one
	// of the gate's own.
	Upstream *Upstream
	// HTTPClient makes the calls to Clerk. Default: a bounded one.
	HTTPClient *http.Client
	// Logger takes what happens in the background. Default: discarded.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Gate is a compiled policy with everything it needs.
type Gate struct {
	Policy  *policy.Policy
	Session *session.Authenticator
	// Upstream is what requests are given on their way.
	Upstream *Upstream
	// owned: the authenticator is the gate's own to start and close.
	owned bool
}

// New compiles the configuration. Nothing is fetched until Start.
func New(config Config, o Options) (*Gate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	gate := &Gate{Session: o.Session, Upstream: o.Upstream}
	err := config.validate()
	if err == nil && gate.Session == nil {
		gate.Session, err = NewSession(config.Clerk, o)
		gate.owned = true
	}
	deps := policy.Deps{Limiter: o.Limiter, Now: o.Now}
	if gate.Session != nil {
		deps.Authenticator = gate.Session
		deps.Instance = policy.Instance{SignInURL: gate.Session.SignInURL(), Origins: gate.Session.AuthorizedParties()}
	} else {
		deps.Authenticator = nobody{} // so that what is wrong with the policy is reported too
	}
	if err == nil && config.Clerk.SecretKey != "" {
		var sessions *session.Sessions
		if sessions, err = session.NewSessions(config.Clerk, o.HTTPClient); err == nil {
			deps.Sessions = sessions
		}
	}
	if err == nil && gate.Upstream == nil {
		gate.Upstream, err = NewUpstream(config, o)
	}
	gate.Upstream.lend(&config, &deps)
	if deps.Limiter == nil {
		deps.Limiter = ratelimit.NewMemory(ratelimit.Options{})
	}
	var policyErr error
	if gate.Policy, policyErr = policy.New(config.Config, deps); err != nil || policyErr != nil {
		gate.Close()
		return nil, errors.Join(err, policyErr)
	}
	return gate, nil
}

// NewSession makes an authenticator for hosts that let it outlive their gates.
func NewSession(config session.Config, o Options) (*session.Authenticator, error) {
	return session.New(config, session.Options{HTTPClient: o.HTTPClient, Logger: o.Logger, Now: o.Now})
}

// Start begins fetching keys in the background, until ctx ends or the gate is
// closed.
func (g *Gate) Start(ctx context.Context) {
	if g.owned {
		g.Session.Start(ctx)
	}
}

// Ready reports whether tokens can be verified.
func (g *Gate) Ready() bool { return g.Session.Ready() }

// Close stops what the gate itself started.
func (g *Gate) Close() {
	if g.owned && g.Session != nil {
		g.Session.Close()
	}
}

// nobody signs nobody in, and nothing else either.
type nobody struct{}

func (nobody) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Reason: policy.ReasonSessionMissing}
}
