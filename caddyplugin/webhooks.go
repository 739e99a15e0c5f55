package caddyplugin

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(Webhooks{})
	register("clerk_webhooks", func() directive { return new(Webhooks) })
}

// Webhooks receives Clerk's webhooks, so that ended sessions, banned users and changed
// roles take effect at once: in this process, and in all that share the Redis. It
// answers 204 once the event is stored; Clerk retries a delivery that is not.
//
// It answers requests for its path and passes all others to the next handler. Requires
// the signing secret of the endpoint (`webhook_secret`).
type Webhooks struct {
	// The path of the endpoint, as set up in Clerk. Default: `/webhooks/clerk`.
	Path string `json:"path,omitempty"`

	// The Clerk instance, the Redis store, and how long revocations are kept. Default:
	// the settings of the site's clerk_auth, or of the app `clerk`.
	Clerk      session.Config   `json:"clerk"`
	Redis      setup.Redis      `json:"redis,omitzero"`
	Revocation setup.Revocation `json:"revocation,omitzero"`

	// The Caddyfile positions that errors and warnings of the start report. Set by
	// the Caddyfile adapter. Default: none.
	Places places `json:"places,omitempty"`

	app      *App
	receiver *revocation.Receiver
	lease    *setup.Lease
}

// config returns the handler's own settings, without inherited ones.
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

// Provision checks the settings. The revocations are shared with the clerk_auth
// handlers.
func (h *Webhooks) Provision(ctx caddy.Context) error { return h.Places.locate(h.provision(ctx)) }

func (h *Webhooks) provision(ctx caddy.Context) error {
	config, err := instanceConfig(ctx, h.config(), h.Places)
	if err != nil {
		return err
	}
	if config.Clerk.WebhookSecret == "" {
		return &policy.ConfigError{Path: "clerk.webhook_secret", Msg: "there is no signing secret", Suggestion: "copy that of the endpoint from Clerk's dashboard, whsec_..."}
	}
	if h.Path, err = replaceGlobal(h.Path); err != nil {
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
	if err := startLease(ctx, h.lease); err != nil {
		return err
	}
	return startWithApp(ctx, &receiving{h, stores, config, ctx.Logger()})
}

// receiving is the task that makes the receiver once the configuration goes into
// service: from then on tokens older than revocations are kept are stale.
type receiving struct {
	handler *Webhooks
	stores  *setup.Stores
	config  *setup.Config
	logger  *zap.Logger
}

// Start makes the receiver. If that fails, deliveries are answered 503, and Clerk
// retries them.
func (r *receiving) Start() {
	var err error
	if r.handler.receiver, err = r.stores.Receiver(r.config); err != nil {
		r.logger.Error("webhooks cannot be received", zap.Error(err))
	}
}

// Await does not wait.
func (*receiving) Await() {}

// Cleanup releases what Provision leased from the pool.
func (h *Webhooks) Cleanup() error {
	h.lease.Release()
	return nil
}

// ServeHTTP receives deliveries: POST requests for the path.
func (h *Webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.EscapedPath() != h.Path {
		return next.ServeHTTP(w, r)
	}
	if h.app.awaitStart(r.Context()); h.receiver == nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, errors.New("webhooks cannot be received"))
	}
	h.receiver.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	clerk_webhooks [<path>] {
//		<key> <values...>     # the settings of the global option clerk
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
	h.Places, err = instanceBlock(d, "clerk_webhooks", instanceSubdirectives(&h.Clerk, &h.Redis, &h.Revocation), h.config)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Webhooks)(nil)
	_ caddy.CleanerUpper          = (*Webhooks)(nil)
	_ caddyhttp.MiddlewareHandler = (*Webhooks)(nil)
	_ caddyfile.Unmarshaler       = (*Webhooks)(nil)
)
