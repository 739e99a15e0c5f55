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

// ServiceName is the full gRPC name of the service. Health is reported under it.
const ServiceName = "envoy.service.auth.v3.Authorization"

// adapter is what metrics call this host.
const adapter = "envoy"

// Bounds of the time for one check. Envoy waits 200 ms unless told otherwise;
// the reserve is what the answer takes on its way back.
const (
	defaultTimeout = 150 * time.Millisecond
	reserve        = 10 * time.Millisecond
)

// Decider makes decisions; a [*policy.Policy] does. Implementations are safe
// for concurrent use.
type Decider interface {
	Decide(ctx context.Context, r *policy.Request) policy.Decision
}

// Options change how a server works. The zero value is good for production.
type Options struct {
	// Logger takes one record for each decision: faults and outages at error,
	// denied requests at info, allowed ones at debug. Default: discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of decisions, under the label
	// adapter="envoy". Default: nothing is counted.
	Metrics prometheus.Registerer
	// Timeout bounds one check, if Envoy's own deadline does not end before.
	// Default: 150 ms.
	Timeout time.Duration
	// OutageAsError answers an outage (keys, Clerk or the limiter's store out of
	// reach) with an error response in place of a refusal with 503. Envoy then
	// counts it as an error and, with failure_mode_allow, LETS THE REQUEST PASS.
	// Envoy before 1.37 answers a bare 403 instead.
	OutageAsError bool
}

// Server answers Envoy's checks. It is safe for concurrent use.
type Server struct {
	decider  atomic.Pointer[Decider]
	options  Options
	reporter *observe.Reporter
}

// New returns a server that answers by p. It returns an error where there is no
// policy or the timeout leaves no time to decide.
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

// SetPolicy replaces the policy. Checks under way finish under the old one.
func (s *Server) SetPolicy(p Decider) { s.decider.Store(&p) }

// answer answers one check (envoy.service.auth.v3.Authorization/Check), always
// by a response with a status.
func (s *Server) answer(ctx context.Context, c *check) encoded {
	x := exchange{server: s, began: time.Now(), id: rand.Uint64(), check: c}
	s.reporter.Begin()
	defer s.reporter.End()
	limited := &due{Context: ctx, at: s.deadline(ctx, x.began)}
	defer limited.end()
	return x.answer(limited)
}

// deadline is when an answer must be on its way.
func (s *Server) deadline(ctx context.Context, now time.Time) time.Time {
	deadline := now.Add(s.options.Timeout)
	if incoming, ok := ctx.Deadline(); ok && incoming.Before(deadline) {
		deadline = incoming
	}
	return deadline.Add(-reserve)
}

// exchange is one check and its answer.
type exchange struct {
	server *Server
	began  time.Time
	// id tells decisions apart, in metadata and logs.
	id    uint64
	check *check
}

// answer decides, reports and responds.
func (x *exchange) answer(ctx context.Context) encoded {
	d, response := x.judge(ctx)
	x.server.reporter.Report(ctx, &d, time.Since(x.began), x)
	return response
}

// judge decides and responds. A panic on the way, in the policy or here, is
// answered as a refusal.
func (x *exchange) judge(ctx context.Context) (d policy.Decision, response encoded) {
	defer func() {
		if v := recover(); v != nil {
			d = refusal(policy.ReasonPanic)
			d.Cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			response = x.respond(&d)
		}
	}()
	d = x.decide(ctx)
	return d, x.respond(&d)
}

func (x *exchange) decide(ctx context.Context) policy.Decision {
	request, reason, cause := x.check.policyRequest()
	if reason != "" {
		d := refusal(reason)
		d.Cause = cause
		return d
	}
	return (*x.server.decider.Load()).Decide(ctx, request)
}

// respond puts the decision into Envoy's words.
func (x *exchange) respond(d *policy.Decision) encoded {
	switch {
	case d.Allowed():
		return ok(d).encode(x.id)
	case x.server.options.OutageAsError && d.Reason.IsOutage():
		return failed(d).encode(x.id)
	}
	return denied(d).encode(x.id)
}
