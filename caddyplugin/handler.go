package caddyplugin

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler lets requests pass, or not, by a policy over who is signed in with
// Clerk. What no rule opens is closed, and whatever goes wrong refuses.
//
// The target that is judged is the one that the next handler forwards: `rewrite`,
// `uri` and `try_files` come first. What `handle_path` strips is still there,
// unless the handler is inside its block. Requests that pass carry the identity in the configured headers;
// what the client sent under those names, or under names that fold to them, is
// removed. Requests that do not pass are answered here, unless the site has
// error routes (`handle_errors`) that take the status: then those answer.
// Redirects to sign in, and gRPC statuses, are always answered here.
//
// These placeholders are set, whether the request passes or not:
//
// Placeholder | Description
// ------------|---------------
// `{http.auth.user.id}` | The user's ID; access logs show it as `user_id`
// `{http.auth.user.session_id}` | The session's ID
// `{http.auth.user.org_id}` | The ID of the active organization
// `{http.auth.user.org_slug}` | The slug of the active organization
// `{http.auth.user.org_role}` | The role in the active organization
// `{http.auth.user.token_type}` | The kind of credential
// `{http.auth.user.actor}` | Who impersonates the user
// `{http.auth.user.machine_id}` | The machine of a machine token
// `{http.auth.user.client_id}` | The client of an OAuth token
// `{http.clerk.claims.*}` | Any claim of the token, by its path
// `{http.clerk.outcome}` | `allow`, `deny`, `redirect` or `error`
// `{http.clerk.reason}` | Why, in one stable word
// `{http.clerk.rule}` | The rule that decided
// `{http.clerk.client_ip}` | The client's address, as limits count it
// `{http.clerk.shadow}` | The reason that shadow mode let pass
// `{http.clerk.decision_id}` | A random ID, as in the log
type Handler struct {
	// The path of a policy document, YAML or JSON, to take everything from. It
	// stands alone: nothing else may be configured beside it. The document is
	// read when the configuration is loaded; `caddy reload --force` reads it
	// again.
	File string `json:"file,omitempty"`

	// The policy document itself. What its `clerk` and `redis` sections leave
	// out comes from the app `clerk`, where there is one.
	setup.Config

	policy  *policy.Policy
	metrics *observe.Decisions
	logger  *zap.Logger
	leases  leases
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_auth",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the policy. Keys, verified tokens and counts are shared
// with the configuration before.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	config, err := h.document(ctx)
	if err != nil {
		return err
	}
	options := setup.Options{Logger: ctx.Slogger()}
	if options.Stores, err = h.leases.stores(ctx, config); err != nil {
		return explain(config, err)
	}
	if config.Clerk.Validate() == nil { // otherwise New says what is wrong, all at once
		if options.Session, err = h.leases.session(config.Clerk); err != nil {
			return explain(config, err)
		}
		if options.Upstream, err = h.leases.upstream(config); err != nil {
			return explain(config, err)
		}
	}
	gate, err := setup.New(*config, options)
	if err != nil {
		return explain(config, err)
	}
	h.policy = gate.Policy
	for _, warning := range append(config.Clerk.Warnings(), gate.Policy.Warnings()...) {
		h.logger.Warn(warning)
	}
	h.metrics, err = observe.New(ctx.GetMetricsRegistry(), adapter)
	return err
}

// Cleanup gives back what Provision took from the pools.
func (h *Handler) Cleanup() error { return h.leases.release() }

// ServeHTTP asks the policy and does what it says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	began := time.Now()
	visit := remember(r, h.policy.Decide(r.Context(), policyRequest(r)))
	d := &visit.decision
	h.metrics.Observe(d, time.Since(began))
	visit.log(h.logger)
	if !d.Allowed() {
		return h.refuse(w, r, d)
	}
	editRequest(r, d)
	addFields(w.Header(), d.ResponseHeaders)
	return next.ServeHTTP(w, r)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
