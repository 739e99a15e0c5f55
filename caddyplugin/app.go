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

// App holds what all clerk_auth handlers share. A handler that names an
// instance of its own (`publishable_key`) takes nothing of `clerk` from here;
// every other one takes what it does not say itself.
type App struct {
	// The instance: keys, parties, sign-in.
	Clerk session.Config `json:"clerk"`

	// The store in which instances share their counts and what has ended.
	// Default: each process counts for itself, and knows only the webhooks that
	// reach it.
	Redis setup.Redis `json:"redis,omitzero"`

	// About sessions that end before their tokens do.
	Revocation setup.Revocation `json:"revocation,omitzero"`

	// Where the option stands in the Caddyfile, and what can be wrong there only
	// once the server starts. The Caddyfile adapter fills it in, for messages.
	Places places `json:"places,omitempty"`

	// checked are the servers whose layout has been looked at.
	checked map[*caddyhttp.Server]bool
	// starts is what begins when the configuration goes into service.
	starts []starter
	// begun is closed once all of that has; up says so without a lock.
	begun chan struct{}
	up    atomic.Bool
}

// readFromTheRight has a server that trusts proxies take the last address that
// none of them is for the client's: those before it are the client's to choose.
func readFromTheRight(server *caddyhttp.Server) { server.TrustedProxiesStrict = 1 }

// starter is what outlives configurations and begins with the first that goes into
// service.
type starter interface {
	// Start begins what runs in the background, once.
	Start()
	// Await waits until requests can be judged by it, for some seconds at most.
	Await()
}

// appOf is the app of the configuration that is being provisioned, which has one
// whether it says so or not; nil outside of a server.
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

// surround sees to the routes around a clerk_auth that is being provisioned, and
// says what is probably not meant.
func surround(ctx caddy.Context) (*App, []policy.Warning, error) {
	app, server, err := appOf(ctx)
	if app == nil {
		return nil, nil, err
	}
	for _, module := range ctx.Modules() {
		if sub, ok := module.(*caddyhttp.Subroute); ok {
			guard(server, sub.Routes, sub.Errors)
		}
	}
	if app.checked[server] {
		return app, nil, nil
	}
	if app.checked == nil {
		app.checked = map[*caddyhttp.Server]bool{}
	}
	app.checked[server] = true
	readFromTheRight(server)
	found := checkLayout(server)
	guard(server, server.Routes, server.Errors)
	if errors := server.Errors; errors != nil && guardOf(errors.Routes) == nil && doMore(routesOf(errors.Routes)) && !contains(routesOf(errors.Routes), isGate) {
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
		New: func() caddy.Module { return &App{begun: make(chan struct{})} },
	}
}

// Start begins what the handlers need in the background: following what other
// instances tell, and fetching keys. A configuration that is only validated calls
// nobody.
func (a *App) Start() error {
	defer func() {
		a.up.Store(true)
		close(a.begun)
	}()
	for _, s := range a.starts {
		s.Start()
	}
	for _, s := range a.starts {
		s.Await() // a node lets nobody pass before it knows what has ended
	}
	return nil
}

// wait holds a request of a configuration whose start is under way: Caddy starts
// its apps in no order.
func (a *App) wait(ctx context.Context) {
	if a == nil || a.up.Load() {
		return
	}
	select {
	case <-a.begun:
	case <-ctx.Done():
	}
}

// Stop does nothing.
func (*App) Stop() error { return nil }

// parseGlobalOption sets up the app from the global option. Syntax:
//
//	clerk {
//		<key> <values...>     # the words of the clerk section, as in clerk_auth
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
	app.Places, err = instanceBlock(d, "clerk", instanceWords(&app.Clerk, &app.Redis, &app.Revocation), func() setup.Config {
		return setup.Config{Clerk: app.Clerk, Redis: app.Redis, Revocation: app.Revocation}
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "clerk", Value: caddyconfig.JSON(app, nil)}, nil
}

// instanceWords are the subdirectives of the global option.
func instanceWords(clerk *session.Config, redis *setup.Redis, revocation *setup.Revocation) words {
	w := clerkWords(clerk)
	w["redis"] = redisWord(redis)
	w["revocation"] = revocationWord(revocation)
	return w
}

// Interface guards
var _ caddy.App = (*App)(nil)
