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
	// Stores outlive this gate, with counts and what has ended. Default: the
	// gate's own.
	Stores *Stores
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
	// Stores hold counts and what has ended.
	Stores *Stores
	// owned and ownedStores: the authenticator, or the stores, are the gate's own
	// to start and close.
	owned, ownedStores bool
}

// New compiles the configuration. Nothing is fetched until Start.
func New(config Config, o Options) (*Gate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	gate := &Gate{Session: o.Session, Upstream: o.Upstream, Stores: o.Stores}
	err := config.validate()
	if err == nil && gate.Session == nil {
		gate.Session, err = NewSession(config.Clerk, o)
		gate.owned = true
	}
	if err == nil && gate.Stores == nil {
		gate.Stores, err = OpenStores(&config, ratelimit.NewMemory(ratelimit.Options{}), o)
		gate.ownedStores = true
	}
	deps := policy.Deps{Limiter: nobody{}, Now: o.Now}
	if gate.Stores != nil {
		deps.Limiter, deps.Revocations = gate.Stores.Limiter, gate.Stores.Revocations
	}
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
	var policyErr error
	if gate.Policy, policyErr = policy.New(config.Config, deps); err != nil || policyErr != nil {
		gate.Close()
		return nil, errors.Join(err, policyErr)
	}
	// Last, for a configuration that is refused must not change how the stores of
	// the one in force judge.
	if _, err = gate.Stores.Receiver(&config); err != nil {
		gate.Close()
		return nil, err
	}
	return gate, nil
}

// NewSession makes an authenticator for hosts that let it outlive their gates.
func NewSession(config session.Config, o Options) (*session.Authenticator, error) {
	return session.New(config, session.Options{HTTPClient: o.HTTPClient, Logger: o.Logger, Now: o.Now})
}

// Start begins what runs in the background, until ctx ends or the gate is
// closed.
func (g *Gate) Start(ctx context.Context) {
	if g.owned {
		g.Session.Start(ctx)
	}
	if g.ownedStores {
		g.Stores.Start(ctx)
	}
}

// Ready reports whether tokens can be verified, and what has ended is known.
func (g *Gate) Ready() bool { return g.Session.Ready() && g.Stores.Ready() }

// Close stops what the gate itself started.
func (g *Gate) Close() {
	if g.owned && g.Session != nil {
		g.Session.Close()
	}
	if g.ownedStores && g.Stores != nil {
		g.Stores.Close()
	}
}

// nobody signs nobody in, and nothing else either.
type nobody struct{}

func (nobody) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Reason: policy.ReasonSessionMissing}
}

// Take counts nothing, and lets nothing pass.
func (nobody) Take(context.Context, time.Time, []policy.LimitCheck, []policy.LimitResult) error {
	return errors.ErrUnsupported
}
