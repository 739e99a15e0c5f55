// Package observe reports decisions: as Prometheus metrics, as log records, and as
// warnings about the setup of a proxy. All adapters use it, so that one dashboard and
// one query work for all of them.
//
// Labels of metrics are bounded: rules come from the configuration, outcomes and
// reasons from the policy's own tables, and no client can choose one. Log records contain
// no header, query or claim.
package observe

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/clerkgate/clerkgate/policy"
)

// maxLoggedPath bounds the path in a log record, in bytes.
const maxLoggedPath = 512

// Reporter reports the decisions of an adapter: as metrics, log records, and warnings
// about its setup. It is safe for concurrent use.
type Reporter struct {
	decisions *decisions
	logger    *slog.Logger
	hints     hints
	// misconfigured limits the errors about a misconfigured proxy to one a minute: each of
	// its requests has one.
	misconfigured rate.Sometimes
}

// NewReporter returns the reporter of one adapter ("envoy", "caddy", "http"), which is
// the label adapter of its metrics. A nil logger discards log records, and without a
// registry there are no metrics. It returns an error if registering them fails.
func NewReporter(adapter string, logger *slog.Logger, registry prometheus.Registerer) (*Reporter, error) {
	r := &Reporter{logger: logger, misconfigured: rate.Sometimes{Interval: time.Minute}}
	if logger == nil {
		r.logger = slog.New(slog.DiscardHandler)
	}
	if registry == nil {
		return r, nil
	}
	var err error
	r.decisions, err = newDecisions(registry, adapter)
	return r, err
}

// Exchange is one request, for its log record. Methods are called only where their value
// is needed.
type Exchange interface {
	// DecisionID identifies the decision. It is the same in each call.
	DecisionID() string
	Method() string
	// Path is the path as it was sent, without the query.
	Path() string
	// ForwardedFor is the field X-Forwarded-For.
	ForwardedFor() string
}

// Begin counts a decision in progress, until [Reporter.End].
func (r *Reporter) Begin() { r.decisions.begin() }

// End ends what [Reporter.Begin] began.
func (r *Reporter) End() { r.decisions.end() }

// Report counts and logs a decision, with its duration. The log level is error for
// requests that could not be decided, info for denied ones and those allowed in shadow
// mode, and debug for allowed ones. It never logs a header, a query or a claim.
func (r *Reporter) Report(ctx context.Context, d *policy.Decision, took time.Duration, x Exchange) {
	r.decisions.observe(d, took)
	if isMisconfigured(d.Reason) && d.Cause != nil {
		r.misconfigured.Do(func() {
			r.logger.LogAttrs(ctx, slog.LevelError, d.Cause.Error()) // once a minute, whatever is logged below
		})
	}
	r.hints.check(d, x.ForwardedFor, func(text string) { r.logger.WarnContext(ctx, text) })
	level, message := record(d)
	if r.logger.Enabled(ctx, level) {
		r.logger.LogAttrs(ctx, level, message, attrs(d, took, x)...)
	}
}

// isMisconfigured reports whether a decision tells of a proxy that does not ask as it
// should.
func isMisconfigured(reason policy.Reason) bool {
	return reason == policy.ReasonProxyMisconfigured || reason == policy.ReasonPeerUntrusted || reason == policy.ReasonCheckMalformed
}

// record returns the level and the message of a decision's log record.
func record(d *policy.Decision) (slog.Level, string) {
	switch {
	case d.Allowed() && d.Shadow != nil:
		return slog.LevelInfo, "request allowed in shadow mode"
	case d.Allowed():
		return slog.LevelDebug, "request allowed"
	case d.Reason == policy.ReasonCanceled, // by the client
		d.Reason == policy.ReasonProxyMisconfigured: // which is logged as an error once a minute
		return slog.LevelInfo, "request denied"
	case d.Outcome == policy.Error:
		return slog.LevelError, "request could not be decided"
	}
	return slog.LevelInfo, "request denied"
}

// attrs returns the fields of a decision's log record.
func attrs(d *policy.Decision, took time.Duration, x Exchange) []slog.Attr {
	path := x.Path()
	attrs := []slog.Attr{
		slog.String("decision_id", x.DecisionID()),
		slog.String("rule", d.Rule),
		slog.String("outcome", d.Outcome.String()),
		slog.String("reason", string(d.Reason)),
		slog.Int("status", d.Status),
		slog.String("method", x.Method()),
		slog.String("path", path[:min(len(path), maxLoggedPath)]),
		slog.Duration("took", took),
	}
	if d.Client.IsValid() {
		attrs = append(attrs, slog.String("client", d.Client.String()))
	}
	if d.Principal != nil {
		attrs = append(attrs, slog.Any("principal", d.Principal))
	}
	if d.Shadow != nil {
		attrs = append(attrs, slog.String("shadow", string(d.Shadow.Reason)))
	}
	if cause := causeOf(d); cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
	}
	return attrs
}

func causeOf(d *policy.Decision) error {
	if d.Cause == nil && d.Shadow != nil {
		return d.Shadow.Cause
	}
	return d.Cause
}
