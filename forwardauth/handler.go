package forwardauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/policy"
)

// Path is where a [Handler] is served, and all that is below it.
const Path = "/forward-auth/"

// adapter is the value of the label adapter in the metrics of this host.
const adapter = "forward-auth"

// defaultTimeout bounds one check: less than any of the proxies waits by default, but
// for Envoy, which waits for 200 ms.
const defaultTimeout = 2 * time.Second

// Decider decides about requests; a [*policy.Policy] is one. Implementations must be
// safe for concurrent use.
type Decider interface {
	Decide(ctx context.Context, r *policy.Request) policy.Decision
}

// Options are those of [New]. The zero value answers no proxy that connects by TCP
// without a certificate.
type Options struct {
	// Logger logs one record for each decision, as the other adapters do. Default:
	// discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of decisions, with the label
	// adapter="forward-auth". Default: no metrics.
	Metrics prometheus.Registerer
	// Trusts reports whether a peer is one of the operator's proxies, which are answered.
	// Peers that connect by a Unix socket, or show a certificate that the server has
	// verified, are trusted as well. Default: nobody.
	Trusts func(netip.Addr) bool
	// Timeout bounds one check. Default: 2 s.
	Timeout time.Duration
}

// Handler answers checks. It is safe for concurrent use. The zero Handler denies every
// check; use [New].
type Handler struct {
	decider  Decider
	options  Options
	reporter *observe.Reporter
}

// New returns a handler that decides by p. It returns an error if p is nil, the timeout
// is negative, or the metrics cannot be registered.
func New(p Decider, o Options) (*Handler, error) {
	switch {
	case p == nil:
		return nil, errors.New("forwardauth: no policy")
	case o.Timeout < 0:
		return nil, fmt.Errorf("forwardauth: the timeout %v is negative", o.Timeout)
	case o.Timeout == 0:
		o.Timeout = defaultTimeout
	}
	reporter, err := observe.NewReporter(adapter, o.Logger, o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Handler{decider: p, options: o, reporter: reporter}, nil
}

// ServeHTTP answers one check, whatever its method is. What is below no dialect's path
// is not found.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	speaks, ok := dialectOf(r)
	switch {
	case !ok:
		http.NotFound(w, r)
	case speaks == nil:
		h.playBack(w, r)
	default:
		h.answer(w, &check{Request: r, dialect: speaks})
	}
}

// answer decides about one check and reports the decision.
func (h *Handler) answer(w http.ResponseWriter, c *check) {
	if h.reporter == nil { // the zero Handler
		d := policy.Denial(policy.ReasonNoDecision)
		c.dialect.refuse(w, c, &d)
		return
	}
	began := time.Now()
	h.reporter.Begin()
	defer h.reporter.End()
	ctx, cancel := context.WithTimeout(c.Context(), h.options.Timeout)
	defer cancel()
	d := h.decide(ctx, c)
	h.reporter.Report(ctx, &d, time.Since(began), c)
	if d.Allowed() {
		c.dialect.allow(w, c, &d)
	} else {
		c.dialect.refuse(w, c, &d)
	}
}

// decide asks the policy, unless the check itself must be refused. A panic denies.
func (h *Handler) decide(ctx context.Context, c *check) (d policy.Decision) {
	defer func() {
		if v := recover(); v != nil {
			d = refusal(policy.ReasonPanic, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	if !h.trusts(c.Request) {
		return refusal(policy.ReasonPeerUntrusted, fmt.Errorf("a check came from %.64q, which is not in trusted_proxies", c.RemoteAddr))
	}
	if err := c.read(); err != nil {
		return refusal(policy.ReasonCheckMalformed, err)
	}
	return h.decider.Decide(ctx, &c.asked)
}

// refusal denies without asking the policy.
func refusal(reason policy.Reason, cause error) policy.Decision {
	d := policy.Denial(reason)
	d.Cause = cause
	return d
}

// trusts reports whether the peer may ask: it learns what any request would be told, and
// decides for whom.
func (h *Handler) trusts(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && h.options.Trusts != nil && h.options.Trusts(peer.Addr().Unmap())
}

// Method implements [observe.Exchange].
func (c *check) Method() string { return c.asked.Method }

// Path implements [observe.Exchange].
func (c *check) Path() string { return pathOf(c.asked.Target) }

// ForwardedFor implements [observe.Exchange].
func (c *check) ForwardedFor() string { return c.Header.Get(forwardedFor) }

// DecisionID returns a random ID. It is made by the first call, and is then the same.
func (c *check) DecisionID() string {
	if c.id == "" {
		c.id = rand.Text()
	}
	return c.id
}
