package caddyplugin

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(App{})
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
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "clerk",
		New: func() caddy.Module { return new(App) },
	}
}

// Start does nothing: the handlers start what they need.
func (*App) Start() error { return nil }

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
	if err := app.words().block(d, "clerk"); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "clerk", Value: caddyconfig.JSON(app, nil)}, nil
}

// words are the subdirectives of the global option.
func (a *App) words() words {
	w := clerkWords(&a.Clerk)
	w["redis"] = redisWord(&a.Redis)
	w["revocation"] = revocationWord(&a.Revocation)
	return w
}

// document returns the configuration in force: the file's, or the inline one
// with what the app adds, and with Caddy's placeholders replaced.
func (h *Handler) document(ctx caddy.Context) (*setup.Config, error) {
	if h.File != "" {
		return h.load()
	}
	config := h.Config
	app, err := ctx.AppIfConfigured("clerk")
	switch {
	case err == nil:
		inherit(&config, app.(*App))
	case !errors.Is(err, caddy.ErrNotConfigured):
		return nil, err
	}
	return expand(config)
}

// load reads the document at File.
func (h *Handler) load() (*setup.Config, error) {
	if err := h.standsAlone(); err != nil {
		return nil, err
	}
	path, err := replaceKnown(h.File)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	config, _, err := setup.LoadFile(path) // Provision logs the warnings
	return config, err
}

// standsAlone refuses a configuration beside a file.
func (h *Handler) standsAlone() error {
	if h.File != "" && !reflect.DeepEqual(h.Config, setup.Config{}) {
		return fmt.Errorf("the policy comes from %s; nothing else can be configured beside it", h.File)
	}
	return nil
}

// inherit fills in what a handler does not say.
func inherit(config *setup.Config, app *App) {
	if config.Clerk.PublishableKey == "" {
		own, shared := reflect.ValueOf(&config.Clerk).Elem(), reflect.ValueOf(app.Clerk)
		for i := range own.NumField() {
			if own.Field(i).IsZero() {
				own.Field(i).Set(shared.Field(i))
			}
		}
	}
	if reflect.ValueOf(config.Redis).IsZero() {
		config.Redis = app.Redis
	}
	if config.Revocation == (setup.Revocation{}) {
		config.Revocation = app.Revocation
	}
}

// Interface guards
var _ caddy.App = (*App)(nil)
