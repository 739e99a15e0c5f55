package caddyplugin

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/clerkgate/clerkgate/internal/redisclient"
)

// liveLog logs to whatever Caddy's log is at that moment: what outlives a
// configuration must not hold on to its log files.
type liveLog struct {
	with func(slog.Handler) slog.Handler
}

// newLiveLog returns a logger for the background.
func newLiveLog() *slog.Logger {
	return slog.New(liveLog{func(h slog.Handler) slog.Handler { return h }})
}

func (l liveLog) now() slog.Handler {
	return l.with(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName("clerk")))
}

// Enabled implements [slog.Handler].
func (l liveLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.now().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (l liveLog) Handle(ctx context.Context, record slog.Record) error {
	return l.now().Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (l liveLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return liveLog{func(h slog.Handler) slog.Handler { return l.with(h).WithAttrs(attrs) }}
}

// WithGroup implements [slog.Handler].
func (l liveLog) WithGroup(name string) slog.Handler {
	return liveLog{func(h slog.Handler) slog.Handler { return l.with(h).WithGroup(name) }}
}

// The Redis driver's own lines are for who looks for them.
func init() {
	redisclient.LogTo(func(line string) { caddy.Log().Named("clerk.redis").Debug(line) })
}
