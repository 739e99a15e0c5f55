package service

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
	"github.com/clerkgate/clerkgate/policy"
)

// Options are what a service needs beside its document. The zero value is good for
// a program that protects its handlers by [Service.Wrap].
type Options struct {
	// Logger takes decisions, as [httpgate.Options] says, reloads of the document and
	// warnings about it, and what happens in the background. Default: discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of the document, of limits, revocations, and the
	// decisions of Wrap. Services that share a registry need a label each, by
	// [prometheus.WrapRegistererWith]. Default: nothing is counted.
	Metrics prometheus.Registerer
	// Adapter is the label of the metrics of the document, of limits and revocations.
	// Default: http.
	Adapter string
	// SessionPage serves the page on which people see and end their sessions, at
	// /__clerkgate/sessions. It needs the secret key.
	SessionPage bool
	// FrontendAPI is the base URL of Clerk's Frontend API, which is served where
	// proxy_url of the document is a path of the site. Default: the one that the
	// publishable key names.
	FrontendAPI string
	// DecideOnly leaves out the service's own pages, for programs that serve no
	// HTTP: then webhooks are not received either, and Wrap denies everything.
	DecideOnly bool
}

// adapter is what metrics call the decisions of Wrap.
const adapter = "http"

// Service decides by a policy document, and serves what belongs to it. It is safe
// for concurrent use; use [Open]. The zero value denies everything.
type Service struct {
	path    string
	options Options
	pool    *setup.Pool    // what outlives a document
	gate    *httpgate.Gate // of Wrap

	counts tally.Document

	reloading sync.Mutex
	closed    bool // guarded by reloading
	state     atomic.Pointer[state]
	last      atomic.Pointer[attempt]
}

// state is all that is made of one document. It is in force as a whole, or not at
// all.
type state struct {
	lease *setup.Lease
	gate  *setup.Gate
	pages pages // the service's own
}

// Open reads the policy document at path, and starts what it says. The error holds
// everything that is wrong with the document, with file, line and column. Keys are
// fetched in the background: see [Service.Ready].
func Open(path string, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Adapter == "" {
		o.Adapter = adapter
	}
	counts := tally.New()
	s := &Service{path: path, options: o,
		pool: setup.NewPool(setup.PoolOptions{Logger: o.Logger, Opened: counts.Open, Closed: counts.Close})}
	_, err := s.load()
	if err == nil {
		err = s.register(counts)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// register makes the gate of Wrap, and registers the metrics.
func (s *Service) register(counts *tally.Tally) (err error) {
	if s.options.Metrics != nil {
		if err := counts.Register(s.options.Metrics, s.options.Adapter); err != nil {
			return err
		}
		if err := s.counts.Register(s.options.Metrics, s.options.Adapter); err != nil {
			return err
		}
	}
	if s.options.DecideOnly {
		return nil
	}
	s.gate, err = httpgate.New(s, httpgate.Options{Logger: s.options.Logger, Metrics: s.options.Metrics})
	return err
}

// Decide asks the policy in force. It never panics.
func (s *Service) Decide(ctx context.Context, r *policy.Request) policy.Decision {
	if current := s.state.Load(); current != nil {
		return current.gate.Policy.Decide(ctx, r)
	}
	return policy.Denial(policy.ReasonNoDecision)
}

// Trusts reports whether an address is among the trusted_proxies of the document in
// force.
func (s *Service) Trusts(addr netip.Addr) bool {
	current := s.state.Load()
	return current != nil && current.gate.Policy.Trusts(addr)
}

// Wrap returns a handler that asks the policy in force about each request, as
// [httpgate.Gate.Wrap] does, and before that serves the service's own pages. It
// belongs in front of every handler that routes or changes requests.
func (s *Service) Wrap(next http.Handler) http.Handler {
	gate := s.gate
	if gate == nil {
		gate = new(httpgate.Gate) // which admits nobody
	}
	protected := gate.Wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page := s.page(r); page != nil {
			page.ServeHTTP(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// ServeHTTP serves the service's own pages, and nothing else: for programs whose
// proxy asks for decisions in another way, and sends these paths here.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := s.page(r)
	if page == nil {
		page = http.NotFoundHandler()
	}
	page.ServeHTTP(w, r)
}

// page is the page of the service's own that a request is for; nil for none.
func (s *Service) page(r *http.Request) http.Handler {
	if current := s.state.Load(); current != nil {
		return current.pages.at(r.URL.EscapedPath())
	}
	return nil
}

// Ready reports whether requests can be decided: the keys of the instance are
// there, and what other instances told of ended sessions is known here.
// [Service.Readiness] says what is missing.
func (s *Service) Ready() bool {
	current := s.state.Load()
	return current != nil && current.gate.Ready()
}

// Close stops what runs in the background, and [Service.Watch]. Requests must have ended.
func (s *Service) Close() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.closed = true
	if current := s.state.Load(); current != nil {
		current.lease.Release()
	}
}
