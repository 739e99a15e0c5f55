package setup

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// Options are what a host provides. The zero value is valid.
type Options struct {
	// Session is an authenticator that outlives this gate, with its keys and
	// verified tokens. Default: one of the gate's own.
	Session *session.Authenticator
	// Stores are rate limit counts and revocations that outlive this gate. Default: the
	// gate's own.
	Stores *Stores
	// Upstream is the tokens and keys for upstreams that outlive this gate. Default: one
	// of the gate's own.
	Upstream *Upstream
	// HTTPClient makes the connections of the calls to Clerk: see [session.Client].
	// Default: that of the instance, which all its gates share.
	HTTPClient *http.Client
	// Logger logs the background work. Default: discarded.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Gate is a compiled policy with everything it needs.
type Gate struct {
	Policy  *policy.Policy
	Session *session.Authenticator
	// Upstream makes the tokens that upstreams receive.
	Upstream *Upstream
	// Stores are the rate limit counts and revocations.
	Stores *Stores
	// owned and ownedStores: the authenticator, or the stores, are the gate's own
	// to start and close.
	owned, ownedStores bool
}

// New compiles the configuration. Nothing is fetched until [Gate.Start]. Its error joins
// all that is invalid, as [policy.ConfigError]s.
func New(config Config, o Options) (*Gate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.HTTPClient = session.Client(config.Clerk, o.HTTPClient)
	gate := &Gate{Session: o.Session, Upstream: o.Upstream, Stores: o.Stores}
	deps, err := gate.assemble(&config, o)
	if err != nil {
		gate.Close()
		_, policyErr := policy.Check(config.Config, config.available()) // so that all that is wrong is reported
		return nil, errors.Join(err, policyErr)
	}
	if gate.Policy, err = policy.New(config.Config, deps); err != nil {
		gate.Close()
		return nil, err
	}
	return gate, nil
}

// available returns the services that the policy of a configuration will have.
func (c *Config) available() policy.Available {
	canAsk := c.Clerk.SecretKey != ""
	return policy.Available{Sessions: canAsk, Tokens: canAsk, Assertions: c.Assertion != nil}
}

// assemble makes what the host did not provide, and returns the dependencies of the
// policy.
func (g *Gate) assemble(config *Config, o Options) (policy.Deps, error) {
	deps := policy.Deps{Now: o.Now}
	err := config.validate()
	if err != nil {
		return deps, err
	}
	if g.Session == nil {
		if g.Session, err = NewSession(config.Clerk, o); err != nil {
			return deps, err
		}
		g.owned = true
	}
	if g.Stores == nil {
		if g.Stores, err = OpenStores(config, NewMemory(), o); err != nil {
			return deps, err
		}
		g.ownedStores = true
	}
	if g.Upstream == nil {
		if g.Upstream, err = NewUpstream(*config, o); err != nil {
			return deps, err
		}
	}
	if config.Clerk.SecretKey != "" {
		if deps.Sessions, err = session.NewSessions(config.Clerk, o.HTTPClient); err != nil {
			return deps, err
		}
	}
	deps.Authenticator = g.Session
	deps.Instance = g.Session.Instance()
	deps.Limiter, deps.Revocations = g.Stores.Limiter, g.Stores.Revocations
	g.Upstream.provide(&deps)
	return deps, nil
}

// NewSession returns an authenticator, for hosts that let it outlive their gates.
func NewSession(config session.Config, o Options) (*session.Authenticator, error) {
	return session.New(config, session.Options{HTTPClient: o.HTTPClient, Logger: o.Logger, Now: o.Now})
}

// Start starts the background work, until ctx ends or the gate is closed.
func (g *Gate) Start(ctx context.Context) {
	if g.owned {
		g.Session.Start(ctx)
	}
	if g.ownedStores {
		g.Stores.Start(ctx)
	}
}

// Ready reports whether Clerk's keys were fetched and the revocations were read.
func (g *Gate) Ready() bool { return g.Session.Ready() && g.Stores.Ready() }

// Close stops what the gate itself has started.
func (g *Gate) Close() {
	if g.owned {
		g.Session.Close()
	}
	if g.ownedStores {
		g.Stores.Close()
	}
}
