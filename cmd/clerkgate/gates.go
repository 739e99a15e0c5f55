package main

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

// gates keeps the gate in force and what outlives it: counts always, keys and
// tokens while the sections that they follow from stay the same.
type gates struct {
	ctx    context.Context // of the background: the server's life
	path   string
	logger *slog.Logger
	memory *ratelimit.Memory
	counts *tally.Tally

	mu      sync.Mutex
	config  *setup.Config
	session *session.Authenticator
	stores  *setup.Stores
	gate    atomic.Pointer[setup.Gate]

	draining atomic.Bool
}

// openGates loads the document and starts its gate.
func openGates(ctx context.Context, path string, logger *slog.Logger) (*gates, error) {
	g := &gates{ctx: ctx, path: path, logger: logger, memory: ratelimit.NewMemory(ratelimit.Options{}), counts: tally.New()}
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
	next, err := g.prepare(config)
	if err != nil {
		return err
	}
	gate, err := setup.New(*config, next)
	if err != nil {
		g.discard(next)
		return err
	}
	retire := g.replace(next)
	g.config = config
	g.gate.Store(gate)
	retire()
	for _, warning := range warnings {
		g.logger.Warn("policy", "warning", warning)
	}
	return nil
}

// prepare keeps what the document leaves the same, and makes the rest.
func (g *gates) prepare(config *setup.Config) (setup.Options, error) {
	o := setup.Options{Session: g.session, Stores: g.stores, Logger: g.logger}
	sameClerk := g.config != nil && reflect.DeepEqual(g.config.Clerk, config.Clerk)
	if sameClerk && reflect.DeepEqual(g.config.Assertion, config.Assertion) {
		o.Upstream = g.gate.Load().Upstream
	}
	var err error
	if !sameClerk {
		if o.Session, err = setup.NewSession(config.Clerk, o); err != nil {
			return o, err
		}
	}
	if !g.sameStores(config) {
		o.Stores, err = setup.OpenStores(config, g.memory, o)
	}
	return o, err
}

// sameStores reports whether a document has the stores of the one in force.
func (g *gates) sameStores(config *setup.Config) bool {
	if g.config == nil {
		return false
	}
	before, err := g.config.StoresKey()
	after, err2 := config.StoresKey()
	return err == nil && err2 == nil && before == after
}

// discard closes what was prepared for nothing.
func (g *gates) discard(o setup.Options) {
	if o.Session != g.session {
		o.Session.Close()
	}
	if o.Stores != g.stores {
		o.Stores.Close()
	}
}

// replace starts what is new, and returns what closes that which it takes the
// place of.
func (g *gates) replace(o setup.Options) (retire func()) {
	session, stores := g.session, g.stores
	if o.Session != session {
		o.Session.Start(g.ctx)
	}
	if o.Stores != stores {
		o.Stores.Start(g.ctx)
		g.counts.Open(o.Stores)
		if stores != nil {
			o.Stores.Await() // those before it answer meanwhile
		}
	}
	g.session, g.stores = o.Session, o.Stores
	return func() {
		if session != nil && session != g.session {
			session.Close()
		}
		if stores != nil && stores != g.stores {
			stores.Close()
			g.counts.Close(stores)
		}
	}
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
	g.stores.Close()
}
