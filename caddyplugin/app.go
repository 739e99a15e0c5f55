package caddyplugin

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(new(App))
	httpcaddyfile.RegisterGlobalOption("clerk", parseGlobalOption)
}

// App holds the settings that all clerk_auth handlers share. A handler with its own
// `publishable_key` uses nothing of `clerk` from here; every other handler inherits
// the settings that it does not set itself.
type App struct {
	// The Clerk instance: its keys, authorized parties and sign-in URL.
	Clerk session.Config `json:"clerk"`

	// The Redis store in which instances of clerkgate share rate limit counts and
	// revocations. Default: none; each process counts by itself, and knows only the
	// revocations of the webhooks that it receives.
	Redis setup.Redis `json:"redis,omitzero"`

	// Revocation of sessions that end before their tokens expire. Default: the
	// defaults of its settings.
	Revocation setup.Revocation `json:"revocation,omitzero"`

	// The Caddyfile positions that errors and warnings of the start report. Set by
	// the Caddyfile adapter. Default: none.
	Places places `json:"places,omitempty"`

	// checked are the servers whose routes have been checked (checkLayout).
	checked map[*caddyhttp.Server]bool
	// tasks are started when the configuration goes into service.
	tasks []backgroundTask
	// started is closed once all tasks are ready; running says so without a lock.
	started chan struct{}
	running atomic.Bool
}

// trustProxiesStrictly sets trusted_proxies_strict: Caddy then takes the rightmost
// untrusted address of X-Forwarded-For for the client, since the client can forge
// those to the left of it.
func trustProxiesStrictly(server *caddyhttp.Server) { server.TrustedProxiesStrict = 1 }

// backgroundTask is work that outlives configurations. It starts with the first
// configuration that goes into service.
type backgroundTask interface {
	// Start starts the work in the background, once.
	Start()
	// Await waits until requests can be decided, for some seconds at most.
	Await()
}

// appOf returns the app of the configuration that is being provisioned, which Caddy
// makes where the configuration has none, and the server; nil outside of a server.
func appOf(ctx caddy.Context) (*App, *caddyhttp.Server, error) {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil, nil, nil
	}
	app, err := ctx.App("clerk")
	if err != nil {
		return nil, nil, err
	}
	return app.(*App), server, nil
}

// inspectRoutes checks the routes around a clerk_auth that is being provisioned, and
// adds error guards to their error routes. It returns the warnings.
func inspectRoutes(ctx caddy.Context) (*App, []policy.Warning, error) {
	app, server, err := appOf(ctx)
	if app == nil {
		return nil, nil, err
	}
	for _, module := range ctx.Modules() {
		if sub, ok := module.(*caddyhttp.Subroute); ok {
			addErrorGuard(server, sub.Routes, sub.Errors)
		}
	}
	if app.checked[server] {
		return app, nil, nil
	}
	if app.checked == nil {
		app.checked = map[*caddyhttp.Server]bool{}
	}
	app.checked[server] = true
	trustProxiesStrictly(server)
	found := checkLayout(server)
	addErrorGuard(server, server.Routes, server.Errors)
	if errors := server.Errors; errors != nil && errorGuardOf(errors.Routes) == nil && serveOrForward(routesOf(errors.Routes)) && !contains(routesOf(errors.Routes), isGate) {
		found.errorf("%s: clerk_auth in a named route cannot guard error routes that serve or forward: put it into the site", "this server"+gatePlace(nil, namedRoutes(server)))
	}
	if len(found.errors) > 0 {
		return nil, nil, placedError{errors.New(strings.Join(found.errors, "; "))}
	}
	return app, found.warnings, nil
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "clerk",
		New: func() caddy.Module { return &App{started: make(chan struct{})} },
	}
}

// Start starts the background work of the handlers: fetching Clerk's keys, and
// following the revocations in Redis. Validating a configuration starts nothing.
func (a *App) Start() error {
	defer func() {
		a.running.Store(true)
		close(a.started)
	}()
	for _, s := range a.tasks {
		s.Start()
	}
	for _, s := range a.tasks {
		s.Await() // a node allows no request before it has read the revocations
	}
	return nil
}

// awaitStart delays a request until the app has started: Caddy starts its apps in no
// order, so requests can come before that.
func (a *App) awaitStart(ctx context.Context) {
	if a == nil || a.running.Load() {
		return
	}
	select {
	case <-a.started:
	case <-ctx.Done():
	}
}

// Stop does nothing: Cleanup of the handlers stops what their leases started.
func (*App) Stop() error { return nil }

// parseGlobalOption sets up the app from the global option. Syntax:
//
//	clerk {
//		<key> <values...>     # the settings of the clerk section, as in clerk_auth
//		redis <url>           # or a block, as in clerk_auth
//		revocation { ... }    # as in clerk_auth
//	}
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next()
	if existing != nil {
		return nil, d.Err("clerk is already specified")
	}
	if d.NextArg() {
		return nil, d.ArgErr()
	}
	app := new(App)
	var err error
	app.Places, err = instanceBlock(d, "clerk", instanceSubdirectives(&app.Clerk, &app.Redis, &app.Revocation), func() setup.Config {
		return setup.Config{Clerk: app.Clerk, Redis: app.Redis, Revocation: app.Revocation}
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "clerk", Value: caddyconfig.JSON(app, nil)}, nil
}

// instanceSubdirectives are the subdirectives of the global option.
func instanceSubdirectives(clerk *session.Config, redis *setup.Redis, revocation *setup.Revocation) subdirectives {
	w := clerkSubdirectives(clerk)
	w["redis"] = redisSubdirective(redis)
	w["revocation"] = revocationSubdirective(revocation)
	return w
}

// Interface guards
var _ caddy.App = (*App)(nil)
