package main

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

// gates keeps the gate in force and what outlives it: counts always, keys and
// tokens while the sections that they follow from stay the same.
type gates struct {
	ctx     context.Context // of the background: the server's life
	path    string
	logger  *slog.Logger
	limiter policy.Limiter

	mu      sync.Mutex
	config  *setup.Config
	session *session.Authenticator
	gate    atomic.Pointer[setup.Gate]

	draining atomic.Bool
}

// openGates loads the document and starts its gate.
func openGates(ctx context.Context, path string, logger *slog.Logger) (*gates, error) {
	g := &gates{ctx: ctx, path: path, logger: logger, limiter: ratelimit.NewMemory(ratelimit.Options{})}
	return g, g.reload()
}

// reload puts the document as it is now into force. On an error nothing
// changes.
func (g *gates) reload() error {
	config, warnings, err := setup.LoadFile(g.path)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	options := setup.Options{Limiter: g.limiter, Logger: g.logger}
	same := g.config != nil && reflect.DeepEqual(g.config.Clerk, config.Clerk)
	if options.Session = g.session; !same {
		if options.Session, err = setup.NewSession(config.Clerk, options); err != nil {
			return err
		}
	}
	if same && reflect.DeepEqual(g.config.Assertion, config.Assertion) {
		options.Upstream = g.gate.Load().Upstream
	}
	gate, err := setup.New(*config, options)
	if err != nil {
		return err
	}
	if !same {
		options.Session.Start(g.ctx)
		if g.session != nil {
			g.session.Close()
		}
	}
	g.config, g.session = config, options.Session
	g.gate.Store(gate)
	for _, warning := range warnings {
		g.logger.Warn("policy", "warning", warning)
	}
	return nil
}

// policy is the policy in force.
func (g *gates) policy() *policy.Policy { return g.gate.Load().Policy }

// ready reports whether checks can be answered.
func (g *gates) ready() bool { return !g.draining.Load() && g.gate.Load().Ready() }

// drain makes ready report false from now on.
func (g *gates) drain() { g.draining.Store(true) }

// close stops the background.
func (g *gates) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.session.Close()
}
