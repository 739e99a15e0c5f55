package caddyplugin

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
)

// shared holds what outlives a configuration: authenticators with their keys
// and verified tokens, tokens and keys for upstreams, rate limit counts, revocations.
var shared = setup.NewPool(setup.PoolOptions{Logger: newCurrentLog(), Opened: counts.Open, Closed: counts.Close})

// counts are the metrics of stores, over all configurations.
var counts = tally.New()

// adapter is the value of the label adapter in the metrics of this host.
const adapter = "caddy"

// startWithApp starts a task when the configuration goes into service: at once where
// there is no server, as in `caddy validate` of a handler alone.
func startWithApp(ctx caddy.Context, s backgroundTask) error {
	app, _, err := appOf(ctx)
	if app == nil {
		s.Start()
		s.Await()
		return err
	}
	app.tasks = append(app.tasks, s)
	return nil
}

// startLease registers the metrics of the stores with Caddy, and starts what a handler
// leased when the configuration goes into service.
func startLease(ctx caddy.Context, lease *setup.Lease) error {
	if err := counts.Register(ctx.GetMetricsRegistry(), adapter); err != nil {
		return err
	}
	return startWithApp(ctx, lease)
}
