package caddyplugin

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/clerkgate/clerkgate/internal/redisclient"
)

// currentLog is a [slog.Handler] that writes each record to the log that Caddy has at
// that moment: a logger that outlives a configuration must not hold its log files open.
type currentLog struct {
	with func(slog.Handler) slog.Handler
}

// newCurrentLog returns a logger for work that outlives a configuration.
func newCurrentLog() *slog.Logger {
	return slog.New(currentLog{func(h slog.Handler) slog.Handler { return h }})
}

func (l currentLog) handler() slog.Handler {
	return l.with(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName("clerk")))
}

// Enabled implements [slog.Handler].
func (l currentLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.handler().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (l currentLog) Handle(ctx context.Context, record slog.Record) error {
	return l.handler().Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (l currentLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return currentLog{func(h slog.Handler) slog.Handler { return l.with(h).WithAttrs(attrs) }}
}

// WithGroup implements [slog.Handler].
func (l currentLog) WithGroup(name string) slog.Handler {
	return currentLog{func(h slog.Handler) slog.Handler { return l.with(h).WithGroup(name) }}
}

// The Redis driver logs at level debug, as clerk.redis.
func init() {
	redisclient.LogTo(func(line string) { caddy.Log().Named("clerk.redis").Debug(line) })
}
