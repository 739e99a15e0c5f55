package caddyplugin

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
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

	// The instance, the store, and how long what ended is remembered. What it
	// leaves out comes from the app `clerk`, where there is one.
	App

	receiver *revocation.Receiver
	leases   leases
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
func (h *Webhooks) Provision(ctx caddy.Context) error {
	config, err := (&Handler{Config: setup.Config{Clerk: h.Clerk, Redis: h.Redis, Revocation: h.Revocation}}).document(ctx)
	if err != nil {
		return err
	}
	if config.Clerk.WebhookSecret == "" {
		return &policy.ConfigError{Path: "webhook_secret", Msg: "there is no signing secret", Suggestion: "copy that of the endpoint from Clerk's dashboard, whsec_..."}
	}
	if h.Path, err = replaceKnown(h.Path); err != nil {
		return err
	}
	if h.Path == "" {
		h.Path = revocation.Path
	}
	stores, err := h.leases.stores(ctx, config)
	if err != nil {
		return explain(config, err)
	}
	h.receiver, err = stores.Receiver(config)
	return err
}

// Cleanup gives back what Provision took from the pools.
func (h *Webhooks) Cleanup() error { return h.leases.release() }

// ServeHTTP takes deliveries.
func (h *Webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.EscapedPath() != h.Path {
		return next.ServeHTTP(w, r)
	}
	h.receiver.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	clerk_webhooks [<path>] {
//		<key> <values...>     # the words of the global option clerk
//	}
func (h *Webhooks) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	switch args := d.RemainingArgs(); {
	case len(args) > 1:
		return d.ArgErr()
	case len(args) == 1 && (args[0] == "" || args[0][0] != '/'):
		return d.Errf("%q is not the path of an endpoint; write it without a matcher, such as /webhooks/clerk", args[0])
	case len(args) == 1:
		h.Path = args[0]
	}
	return h.words().block(d, "clerk_webhooks")
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Webhooks)(nil)
	_ caddy.CleanerUpper          = (*Webhooks)(nil)
	_ caddyhttp.MiddlewareHandler = (*Webhooks)(nil)
	_ caddyfile.Unmarshaler       = (*Webhooks)(nil)
)
