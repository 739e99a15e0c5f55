package extauthz

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// maxLoggedPath bounds the path in a log record, in bytes.
const maxLoggedPath = 512

// report counts the decision and logs it: refusals and shadowed refusals at
// info, our own faults at error, the rest at debug. It never logs a header, a
// query or a claim.
func (x *exchange) report(ctx context.Context, d *policy.Decision) {
	took := time.Since(x.began)
	x.server.options.Decisions.Observe(d, took)
	if d.Reason == policy.ReasonProxyMisconfigured && d.Cause != nil {
		x.server.warned.Do(func() {
			x.server.options.Logger.LogAttrs(ctx, slog.LevelError, d.Cause.Error()) // once a minute, whatever is logged below
		})
	}
	x.server.hints.Tell(d, x.forwardedFor, func(text string) { x.server.options.Logger.WarnContext(ctx, text) })
	level, message := slog.LevelInfo, "refused"
	switch {
	case d.Reason == policy.ReasonPanic:
		level = slog.LevelError
	case d.Shadow != nil:
		message = "passed in shadow mode"
	case d.Allowed():
		level, message = slog.LevelDebug, "passed"
	}
	if logger := x.server.options.Logger; logger.Enabled(ctx, level) {
		logger.LogAttrs(ctx, level, message, x.attrs(d, took)...)
	}
}

// forwardedFor is the request's field X-Forwarded-For.
func (x *exchange) forwardedFor() string {
	for _, h := range x.check.request.Headers {
		if strings.EqualFold(h.Name, "X-Forwarded-For") {
			return h.Value
		}
	}
	return ""
}

func (x *exchange) attrs(d *policy.Decision, took time.Duration) []slog.Attr {
	path, _, _ := strings.Cut(x.check.request.Target, "?")
	path = path[:min(len(path), maxLoggedPath)]
	attrs := []slog.Attr{
		slog.String("decision_id", decisionID(x.id)),
		slog.String("rule", d.Rule),
		slog.String("outcome", d.Outcome.String()),
		slog.String("reason", string(d.Reason)),
		slog.Int("status", d.Status),
		slog.String("method", x.check.request.Method),
		slog.String("path", path),
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
