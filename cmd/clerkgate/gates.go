package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
	"github.com/clerkgate/clerkgate/policy"
)

// gates keeps what is in force, and what outlives it: counts always, keys and
// tokens while the sections that they follow from stay the same.
type gates struct {
	options *serveOptions
	logger  *slog.Logger
	pool    *setup.Pool
	counts  *tally.Tally

	reloading sync.Mutex
	state     atomic.Pointer[state]
	draining  atomic.Bool
}

// state is all that is made of one document. It is in force as a whole, or not at
// all.
type state struct {
	config  *setup.Config
	lease   *setup.Lease
	gate    *setup.Gate
	handler http.Handler // of --http; nil without
}

// openGates loads the document and starts what it says.
func openGates(o *serveOptions, logger *slog.Logger) (*gates, error) {
	g := newGates(o, logger)
	return g, g.reload()
}

func newGates(o *serveOptions, logger *slog.Logger) *gates {
	counts := tally.New()
	return &gates{options: o, logger: logger, counts: counts,
		pool: setup.NewPool(setup.PoolOptions{Logger: logger, Opened: counts.Open, Closed: counts.Close})}
}

// reload puts the document as it is now into force. On an error nothing
// changes.
func (g *gates) reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	last, next := g.state.Load(), &state{lease: g.pool.Lease()}
	findings, err := g.prepare(next)
	if err != nil {
		next.lease.Release()
		return err
	}
	next.lease.Start()
	if last != nil { // which answers until new stores have read what others told
		next.lease.Await()
	}
	g.state.Store(next)
	if last != nil {
		last.lease.Release()
	}
	for _, finding := range findings {
		if !finding.Note {
			g.logger.Warn("policy", "warning", finding.Warning.String(), "at", finding.Position.String())
		}
	}
	return nil
}

// prepare reads the document and makes all that it says. Nothing that is in force
// notices.
func (g *gates) prepare(next *state) (findings []setup.Finding, err error) {
	_, findings, err = setup.LoadFile(g.options.config, func(config *setup.Config) ([]policy.Warning, error) {
		gate, err := next.lease.Gate(config, setup.Options{Logger: g.logger})
		if next.config, next.gate = config, gate; err != nil || g.options.http == "" {
			return nil, err
		}
		handler, warnings, err := edgeHandler(next, g.options, g.logger)
		next.handler = handler
		return warnings, err
	})
	return findings, err
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
	if s := g.state.Load(); s != nil {
		s.lease.Release()
	}
}
