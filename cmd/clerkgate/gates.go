package main

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// gates keeps what is in force, and what outlives it: counts always, keys and
// tokens while the sections that they follow from stay the same.
type gates struct {
	ctx     context.Context // of the background: the server's life
	options *serveOptions
	logger  *slog.Logger
	memory  *setup.Memory
	counts  *tally.Tally

	reloading sync.Mutex
	state     atomic.Pointer[state]
	draining  atomic.Bool
}

// state is all that is made of one document. It is in force as a whole, or not at
// all.
type state struct {
	config  *setup.Config
	session *session.Authenticator
	stores  *setup.Stores
	gate    *setup.Gate
	handler http.Handler // of --http; nil without
}

// openGates loads the document and starts what it says.
func openGates(ctx context.Context, o *serveOptions, logger *slog.Logger) (*gates, error) {
	g := newGates(ctx, o, logger)
	return g, g.reload()
}

func newGates(ctx context.Context, o *serveOptions, logger *slog.Logger) *gates {
	return &gates{ctx: ctx, options: o, logger: logger, memory: setup.NewMemory(), counts: tally.New()}
}

// reload puts the document as it is now into force. On an error nothing
// changes.
func (g *gates) reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	last, next := g.state.Load(), new(state)
	findings, err := g.prepare(next, last)
	if err != nil {
		g.retire(next, last)
		return err
	}
	g.start(next, last)
	g.state.Store(next)
	if last != nil {
		g.retire(last, next)
	}
	for _, finding := range findings {
		if !finding.Note {
			g.logger.Warn("policy", "warning", finding.Warning.String(), "at", finding.Position.String())
		}
	}
	return nil
}

// prepare reads the document, keeps what it leaves the same of the last state, and
// makes the rest. Nothing that is in force notices.
func (g *gates) prepare(next, last *state) (findings []setup.Finding, err error) {
	_, findings, err = setup.LoadFile(g.options.config, func(config *setup.Config) ([]policy.Warning, error) {
		next.config = config
		if err := g.compile(next, last); err != nil || g.options.http == "" {
			return nil, err
		}
		handler, more, err := edgeHandler(next, g.options, g.logger)
		next.handler = handler
		return more, err
	})
	return findings, err
}

// compile makes the gate of a state.
func (g *gates) compile(next, last *state) error {
	o := setup.Options{Logger: g.logger}
	err := last.keep(next.config, &o)
	if err == nil && o.Session == nil {
		o.Session, err = setup.NewSession(next.config.Clerk, o)
	}
	if err == nil && o.Stores == nil {
		o.Stores, err = setup.OpenStores(next.config, g.memory, o)
	}
	next.session, next.stores = o.Session, o.Stores
	if err != nil {
		return err
	}
	next.gate, err = setup.New(*next.config, o)
	return err
}

// keep lends what of a state another document leaves as it is.
func (s *state) keep(config *setup.Config, o *setup.Options) error {
	if s == nil {
		return nil
	}
	before, after := s.config.Clerk, config.Clerk
	before.WebhookSecret, after.WebhookSecret = "", "" // which is the receiver's alone
	if reflect.DeepEqual(before, after) {
		o.Session = s.session
		if reflect.DeepEqual(s.config.Assertion, config.Assertion) {
			o.Upstream = s.gate.Upstream
		}
	}
	key, err := s.config.StoresKey()
	if err != nil {
		return err
	}
	same, err := config.StoresKey()
	if err == nil && key == same {
		o.Stores = s.stores
	}
	return err
}

// start begins the background of what is new. What new stores have to read first,
// those before them answer meanwhile.
func (g *gates) start(next, last *state) {
	if last == nil || next.session != last.session {
		next.session.Start(g.ctx)
	}
	if last != nil && next.stores == last.stores {
		return
	}
	next.stores.Start(g.ctx)
	g.counts.Open(next.stores)
	if last != nil {
		next.stores.Await()
	}
}

// retire closes what a state does not share with the one that takes its place.
func (g *gates) retire(s, heir *state) {
	if s.session != nil && (heir == nil || s.session != heir.session) {
		s.session.Close()
	}
	if s.stores != nil && (heir == nil || s.stores != heir.stores) {
		s.stores.Close()
		g.counts.Close(s.stores)
	}
}

// Decide asks the policy in force.
func (g *gates) Decide(ctx context.Context, r *policy.Request) policy.Decision {
	return g.state.Load().gate.Policy.Decide(ctx, r)
}

// ServeHTTP is what --http serves, by the document in force.
func (g *gates) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.state.Load().handler.ServeHTTP(w, r)
}

// ready reports whether checks can be answered.
func (g *gates) ready() bool { return !g.draining.Load() && g.state.Load().gate.Ready() }

// drain makes ready report false from now on.
func (g *gates) drain() { g.draining.Store(true) }

// close stops the background.
func (g *gates) close() {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	g.retire(g.state.Load(), nil)
}
