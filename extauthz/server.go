package extauthz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/policy"
)

// ServiceName is the full gRPC name of the service. Its health is reported under it.
const ServiceName = "envoy.service.auth.v3.Authorization"

// adapter is the value of the label adapter in the metrics of this host.
const adapter = "envoy"

// Bounds of the time for one check. Envoy's default timeout is 200 ms; the reserve is
// for the response on its way back.
const (
	defaultTimeout = 150 * time.Millisecond
	reserve        = 10 * time.Millisecond
)

// Decider decides about requests; a [*policy.Policy] is one. Implementations must be
// safe for concurrent use.
type Decider interface {
	Decide(ctx context.Context, r *policy.Request) policy.Decision
}

// Options are those of [New]. The zero value is valid, and meant for production.
type Options struct {
	// Logger logs one record for each decision: errors at level error, denied requests at
	// info, allowed ones at debug. Default: discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of decisions, with the label adapter="envoy".
	// Default: no metrics.
	Metrics prometheus.Registerer
	// Timeout bounds one check, unless Envoy's own deadline is sooner. It must be more
	// than 10 ms. Default: 150 ms.
	Timeout time.Duration
	// OutageAsError answers an outage (Clerk, its keys or the limiter's store are
	// unavailable) with an error_response in place of a denied_response with status 503.
	// Envoy then counts it as an error and, with failure_mode_allow, ALLOWS THE REQUEST.
	// Envoy before 1.37 answers 403 without a body instead.
	OutageAsError bool
}

// Server answers Envoy's CheckRequests. It is safe for concurrent use.
type Server struct {
	decider  atomic.Pointer[Decider]
	options  Options
	reporter *observe.Reporter
}

// New returns a server that decides by p. It returns an error if p is nil, the timeout is
// 10 ms or less, or the metrics cannot be registered.
func New(p Decider, o Options) (*Server, error) {
	if p == nil {
		return nil, errors.New("extauthz: no policy")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Timeout <= reserve {
		return nil, fmt.Errorf("extauthz: a timeout of %v leaves no time to decide; it must be more than %v", o.Timeout, reserve)
	}
	reporter, err := observe.NewReporter(adapter, o.Logger, o.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, reporter: reporter}
	s.SetPolicy(p)
	return s, nil
}

// SetPolicy replaces the policy. Checks in progress finish with the old one.
func (s *Server) SetPolicy(p Decider) { s.decider.Store(&p) }

// handle handles one check (envoy.service.auth.v3.Authorization/Check). Its response
// always has a status.
func (s *Server) handle(ctx context.Context, c *check) encoded {
	x := exchange{server: s, began: time.Now(), id: rand.Uint64(), check: c}
	s.reporter.Begin()
	defer s.reporter.End()
	limited := &due{Context: ctx, at: s.deadline(ctx, x.began)}
	defer limited.end()
	return x.run(limited)
}

// deadline returns the time at which the response must be sent.
func (s *Server) deadline(ctx context.Context, now time.Time) time.Time {
	deadline := now.Add(s.options.Timeout)
	if incoming, ok := ctx.Deadline(); ok && incoming.Before(deadline) {
		deadline = incoming
	}
	return deadline.Add(-reserve)
}

// exchange is one check and its response.
type exchange struct {
	server *Server
	began  time.Time
	// id identifies the decision, in metadata and logs.
	id    uint64
	check *check
}

// run evaluates the check and reports the decision.
func (x *exchange) run(ctx context.Context) encoded {
	d, response := x.evaluate(ctx)
	x.server.reporter.Report(ctx, &d, time.Since(x.began), x)
	return response
}

// evaluate returns the decision and the response. After a panic, in the policy or here,
// it is one that denies.
func (x *exchange) evaluate(ctx context.Context) (d policy.Decision, response encoded) {
	defer func() {
		if v := recover(); v != nil {
			d = policy.Denial(policy.ReasonPanic)
			d.Cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			response = x.encodeResponse(&d)
		}
	}()
	d = x.policyDecision(ctx)
	return d, x.encodeResponse(&d)
}

// policyDecision asks the policy, unless the check itself must be denied.
func (x *exchange) policyDecision(ctx context.Context) policy.Decision {
	request, reason, cause := x.check.policyRequest()
	if reason != "" {
		d := policy.Denial(reason)
		d.Cause = cause
		return d
	}
	return (*x.server.decider.Load()).Decide(ctx, request)
}

// encodeResponse encodes the response of a decision.
func (x *exchange) encodeResponse(d *policy.Decision) encoded {
	switch {
	case d.Allowed():
		return ok(d).encode(x.id)
	case x.server.options.OutageAsError && d.Reason.IsOutage():
		return failed(d).encode(x.id)
	}
	return denied(d).encode(x.id)
}
