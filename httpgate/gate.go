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

// Decider makes decisions; a [*policy.Policy] does. Implementations are safe
// for concurrent use.
type Decider interface {
	Decide(ctx context.Context, r *policy.Request) policy.Decision
}

// Options change how a gate works. The zero value is good for production.
type Options struct {
	// Logger takes one record for each decision: faults and outages at error,
	// denied requests at info, allowed ones at debug. Default: discarded.
	Logger *slog.Logger
	// Metrics registers the metrics of decisions, under the label
	// adapter="http". Default: nothing is counted.
	Metrics prometheus.Registerer
}

// adapter is what metrics call this host.
const adapter = "http"

// Gate guards handlers by a policy. It is safe for concurrent use. A gate that
// [New] did not make admits nobody.
type Gate struct {
	policy   Decider
	reporter *observe.Reporter
}

// New returns a gate that decides by p.
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

// Wrap returns a handler that asks the policy about each request. Those that may
// pass go to next, with the identity in the configured headers and the principal
// in the context, and without what clients may not send; the others are answered.
//
// It belongs in front of every handler that routes or changes requests, so that
// what is judged is what is served.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := g.decide(r)
		if !v.decision.Allowed() {
			_ = Answer(w, r, &v.decision) // the client may be gone
			return
		}
		AddFields(w.Header(), &v.decision)
		next.ServeHTTP(w, v.admitted())
	})
}

// decide asks the policy and reports what it said.
func (g *Gate) decide(r *http.Request) *visit {
	v := &visit{request: r}
	if g.policy == nil {
		return v
	}
	began := time.Now()
	g.reporter.Begin()
	defer g.reporter.End()
	v.decision = g.policy.Decide(r.Context(), Request(r))
	g.reporter.Report(r.Context(), &v.decision, time.Since(began), v)
	return v
}

// visit is one request and what was decided about it.
type visit struct {
	request  *http.Request
	decision policy.Decision
	id       string
}

// visitKey is where the context of a request that passed holds its visit.
type visitKey struct{}

// admitted is the request as the next handler receives it. The one that came stays
// as it is, for the handlers in front.
func (v *visit) admitted() *http.Request {
	r := v.request.WithContext(context.WithValue(v.request.Context(), visitKey{}, v))
	r.Header = maps.Clone(r.Header)
	if len(v.decision.RemoveQuery) > 0 {
		u := *r.URL
		r.URL = &u
	}
	Edit(r, &v.decision)
	return r
}

// PrincipalFrom returns who made the request whose context this is. It is nil where
// nobody is signed in, and where no gate let the request pass.
func PrincipalFrom(ctx context.Context) *policy.Principal {
	if d := DecisionFrom(ctx); d != nil {
		return d.Principal
	}
	return nil
}

// DecisionFrom returns the decision that let the request pass whose context this
// is; nil where no gate did. It must not be changed.
func DecisionFrom(ctx context.Context) *policy.Decision {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		return nil
	}
	return &v.decision
}

// Method implements [observe.Exchange].
func (v *visit) Method() string { return v.request.Method }

// Path implements [observe.Exchange].
func (v *visit) Path() string { return v.request.URL.EscapedPath() }

// ForwardedFor implements [observe.Exchange].
func (v *visit) ForwardedFor() string { return v.request.Header.Get("X-Forwarded-For") }

// DecisionID is made when it is first asked for.
func (v *visit) DecisionID() string {
	if v.id == "" {
		v.id = rand.Text()
	}
	return v.id
}
