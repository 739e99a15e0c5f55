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

	"golang.org/x/time/rate"
	"google.golang.org/grpc"

	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/policy"
)

// ServiceName is the full gRPC name of the service. Health is reported under it.
const ServiceName = "envoy.service.auth.v3.Authorization"

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
	// Logger takes one record per refusal at info, and one per pass at debug.
	// Default: discarded.
	Logger *slog.Logger
	// Decisions counts. Default: nothing is counted.
	Decisions *observe.Decisions
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
	decider atomic.Pointer[Decider]
	options Options
	// warned is asked before operators are told of what their proxy does wrong.
	warned rate.Sometimes
	hints  observe.Hints
}

// New returns a server that answers by p. It returns an error where there is no
// policy or the timeout leaves no time to decide.
func New(p Decider, o Options) (*Server, error) {
	if p == nil {
		return nil, errors.New("extauthz: no policy")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Timeout <= reserve {
		return nil, fmt.Errorf("extauthz: a timeout of %v leaves no time to decide; it must be more than %v", o.Timeout, reserve)
	}
	s := &Server{options: o, warned: rate.Sometimes{Interval: time.Minute}}
	s.SetPolicy(p)
	return s, nil
}

// SetPolicy replaces the policy. Checks under way finish under the old one.
func (s *Server) SetPolicy(p Decider) { s.decider.Store(&p) }

// Register adds the service to a server of [NewGRPC], which understands its
// messages; on any other every check ends in an error.
func (s *Server) Register(r grpc.ServiceRegistrar) { r.RegisterService(&service, s) }

// answer answers one check (envoy.service.auth.v3.Authorization/Check), always
// by a response with a status.
func (s *Server) answer(ctx context.Context, c *check) encoded {
	x := exchange{server: s, began: time.Now(), id: rand.Uint64(), check: c}
	s.options.Decisions.Begin()
	defer s.options.Decisions.End()
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
	x.report(ctx, &d)
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
	case x.server.options.OutageAsError && isOutage(d.Reason):
		return failed(d).encode(x.id)
	}
	return denied(d).encode(x.id)
}
