package httpgate

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/policy"
)

// Decider decides about requests; a [*policy.Policy] is one. Implementations must be
// safe for concurrent use.
type Decider interface {
	Decide(ctx context.Context, r *policy.Request) policy.Decision
}

// Options are those of [New]. The zero value is valid.
type Options struct {
	// Logger logs one record for each decision: errors at level error, denied requests at
	// info, allowed ones at debug. Default: discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of decisions, with the label adapter="http".
	// Default: no metrics.
	Metrics prometheus.Registerer
}

// adapter is the value of the label adapter in the metrics of this host.
const adapter = "http"

// Gate protects handlers by a policy. It is safe for concurrent use. The zero Gate denies
// every request; use [New].
type Gate struct {
	policy   Decider
	reporter *observe.Reporter
}

// New returns a gate that decides by p. It returns an error if p is nil, or the metrics
// cannot be registered.
func New(p Decider, o Options) (*Gate, error) {
	if p == nil {
		return nil, errors.New("httpgate: no policy")
	}
	reporter, err := observe.NewReporter(adapter, o.Logger, o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Gate{policy: p, reporter: reporter}, nil
}

// Wrap returns a handler that decides about each request. It passes allowed ones to
// next, with the identity in the configured headers and the principal in the context,
// and without headers that clients may not send; it answers all others.
//
// It belongs in front of every handler that routes or changes requests, so that the
// decision is about the request that is served.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := g.decide(r)
		if !x.decision.Allowed() {
			_ = Answer(w, r, &x.decision) // the client may be gone
			return
		}
		AddFields(w.Header(), &x.decision)
		next.ServeHTTP(w, x.editedRequest())
	})
}

// decide evaluates the policy and reports the decision.
func (g *Gate) decide(r *http.Request) *exchange {
	x := &exchange{request: r}
	if g.policy == nil {
		x.decision = policy.Denial(policy.ReasonNoDecision)
		return x
	}
	began := time.Now()
	g.reporter.Begin()
	defer g.reporter.End()
	x.decision = g.policy.Decide(r.Context(), Request(r))
	g.reporter.Report(r.Context(), &x.decision, time.Since(began), x)
	return x
}

// exchange is one request and the decision about it.
type exchange struct {
	request  *http.Request
	decision policy.Decision
	id       string
}

// exchangeKey is the context key of the exchange of an allowed request.
type exchangeKey struct{}

// editedRequest returns the request as the next handler receives it. The original stays
// as it is, for the handlers in front.
func (x *exchange) editedRequest() *http.Request {
	r := x.request.WithContext(context.WithValue(x.request.Context(), exchangeKey{}, x))
	r.Header = maps.Clone(r.Header)
	if len(x.decision.RemoveQuery) > 0 {
		u := *r.URL
		r.URL = &u
	}
	Edit(r, &x.decision)
	return r
}

// PrincipalFrom returns the principal of the request whose context this is: the user or
// machine that is signed in. It is nil for an anonymous request, and if no gate has
// allowed the request.
func PrincipalFrom(ctx context.Context) *policy.Principal {
	if d := DecisionFrom(ctx); d != nil {
		return d.Principal
	}
	return nil
}

// DecisionFrom returns the decision that allowed the request whose context this is; nil
// if no gate has. It must not be changed.
func DecisionFrom(ctx context.Context) *policy.Decision {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x == nil {
		return nil
	}
	return &x.decision
}

// Method implements [observe.Exchange].
func (x *exchange) Method() string { return x.request.Method }

// Path implements [observe.Exchange].
func (x *exchange) Path() string { return x.request.URL.EscapedPath() }

// ForwardedFor implements [observe.Exchange].
func (x *exchange) ForwardedFor() string { return x.request.Header.Get("X-Forwarded-For") }

// DecisionID returns a random ID. It is made by the first call, and is then the same.
func (x *exchange) DecisionID() string {
	if x.id == "" {
		x.id = rand.Text()
	}
	return x.id
}
