package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/service"
)

// readyInterval is how often readiness is looked at.
const readyInterval = 250 * time.Millisecond

// servingPart is the process itself, which is not ready any more once it is to stop.
func servingPart(draining bool) service.Part {
	if draining {
		return service.Part{Name: "serving", State: service.PartNotReady, Detail: "draining, and about to stop"}
	}
	return service.Part{Name: "serving", State: service.PartOK}
}

// watchReadiness calls changed at first, and whenever other parts than before are not
// ready.
func watchReadiness(ctx context.Context, readiness func() service.Readiness, changed func(service.Readiness)) {
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	last := readiness()
	changed(last)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if now := readiness(); !slices.Equal(names(now.NotReady()), names(last.NotReady())) {
				last = now
				changed(now)
			}
		}
	}
}

func names(parts []service.Part) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p.Name)
	}
	return all
}

// logReadiness logs whether the process is ready, and what is not.
func logReadiness(logger *slog.Logger, now service.Readiness) {
	var missing []any
	for _, p := range now.NotReady() {
		missing = append(missing, slog.String(p.Name, p.Detail))
	}
	logger.Info("readiness", "ready", now.Ready, slog.Group("missing", missing...))
}
