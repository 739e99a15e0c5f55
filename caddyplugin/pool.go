package caddyplugin

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
)

// shared holds what outlives a configuration: authenticators with their keys
// and verified tokens, tokens and keys for upstreams, and the counts of limits.
var shared = setup.NewPool(setup.PoolOptions{Logger: newLiveLog(), Opened: counts.Open, Closed: counts.Close})

// counts are what stores have counted, over all configurations.
var counts = tally.New()

// adapter is what metrics call this host.
const adapter = "caddy"

// begin has something begin with the configuration: at once where there is no server
// whose start could be waited for.
func begin(ctx caddy.Context, s starter) error {
	app, _, err := appOf(ctx)
	if app == nil {
		s.Start()
		s.Await()
		return err
	}
	app.starts = append(app.starts, s)
	return nil
}

// beginLease has what a handler took begin, and the metrics of Caddy tell of it.
func beginLease(ctx caddy.Context, lease *setup.Lease) error {
	if err := counts.Register(ctx.GetMetricsRegistry(), adapter); err != nil {
		return err
	}
	return begin(ctx, lease)
}
