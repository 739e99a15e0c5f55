package caddyplugin

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(Webhooks{})
	register("clerk_webhooks", func() directive { return new(Webhooks) })
}

// Webhooks takes Clerk's webhooks, so that sessions which ended, users who were
// banned and roles that changed count at once, here and with everybody who shares
// the Redis. It answers only once that is stored: what is not, Clerk sends again.
//
// It answers requests for its path and hands all others on. Needs the signing
// secret of the endpoint (`webhook_secret`).
type Webhooks struct {
	// The path that Clerk's endpoint names. Default: `/webhooks/clerk`.
	Path string `json:"path,omitempty"`

	// The instance, the store, and how long what ended is remembered. What they
	// leave out comes from the clerk_auth of the site, or the app `clerk`.
	Clerk      session.Config   `json:"clerk"`
	Redis      setup.Redis      `json:"redis,omitzero"`
	Revocation setup.Revocation `json:"revocation,omitzero"`

	// Where the handler stands in the Caddyfile, and what can be wrong there only
	// once the server starts. The Caddyfile adapter fills it in, for messages.
	Places places `json:"places,omitempty"`

	app      *App
	receiver *revocation.Receiver
	lease    *setup.Lease
}

// config is what the handler itself says of the instance.
func (h *Webhooks) config() setup.Config {
	return setup.Config{Clerk: h.Clerk, Redis: h.Redis, Revocation: h.Revocation}
}

// CaddyModule returns the Caddy module information.
func (Webhooks) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_webhooks",
		New: func() caddy.Module { return new(Webhooks) },
	}
}

// Provision makes the receiver. What has ended is shared with the handlers
// clerk_auth.
func (h *Webhooks) Provision(ctx caddy.Context) error { return h.Places.locate(h.provision(ctx)) }

func (h *Webhooks) provision(ctx caddy.Context) error {
	config, err := instance(ctx, h.config(), h.Places)
	if err != nil {
		return err
	}
	if config.Clerk.WebhookSecret == "" {
		return &policy.ConfigError{Path: "clerk.webhook_secret", Msg: "there is no signing secret", Suggestion: "copy that of the endpoint from Clerk's dashboard, whsec_..."}
	}
	if h.Path, err = replaceKnown(h.Path); err != nil {
		return err
	}
	if h.Path == "" {
		h.Path = revocation.Path
	}
	h.lease = shared.Lease()
	stores, err := h.lease.Stores(config)
	if err != nil {
		return err
	}
	if err := config.CheckReceiver(); err != nil {
		return err
	}
	if h.app, _, err = appOf(ctx); err != nil {
		return err
	}
	if err := beginLease(ctx, h.lease); err != nil {
		return err
	}
	return begin(ctx, &receiving{h, stores, config})
}

// receiving makes the receiver once the configuration goes into service: from then
// on the stores judge by what comes.
type receiving struct {
	handler *Webhooks
	stores  *setup.Stores
	config  *setup.Config
}

// Start makes the receiver, if nothing is wrong: without it, deliveries are
// refused, and Clerk sends them again.
func (r *receiving) Start() { r.handler.receiver, _ = r.stores.Receiver(r.config) }

// Await waits for nothing.
func (*receiving) Await() {}

// Cleanup gives back what Provision took from the pools.
func (h *Webhooks) Cleanup() error {
	h.lease.Release()
	return nil
}

// ServeHTTP takes deliveries.
func (h *Webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.EscapedPath() != h.Path {
		return next.ServeHTTP(w, r)
	}
	if h.app.wait(r.Context()); h.receiver == nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, errors.New("webhooks cannot be taken"))
	}
	h.receiver.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	clerk_webhooks [<path>] {
//		<key> <values...>     # the words of the global option clerk
//	}
func (h *Webhooks) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next()
	switch args := d.RemainingArgs(); {
	case len(args) > 1:
		return d.ArgErr()
	case len(args) == 1 && (args[0] == "" || args[0][0] != '/'):
		return d.Errf("%q is not the path of an endpoint; write it without a matcher, such as /webhooks/clerk", args[0])
	case len(args) == 1:
		h.Path = args[0]
	}
	h.Places, err = instanceBlock(d, "clerk_webhooks", instanceWords(&h.Clerk, &h.Redis, &h.Revocation), h.config)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Webhooks)(nil)
	_ caddy.CleanerUpper          = (*Webhooks)(nil)
	_ caddyhttp.MiddlewareHandler = (*Webhooks)(nil)
	_ caddyfile.Unmarshaler       = (*Webhooks)(nil)
)
