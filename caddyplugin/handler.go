package caddyplugin

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler allows or denies requests by a policy, which requires that users are signed
// in with Clerk and have certain roles, permissions, plans or claims. A request that no
// rule matches is decided by `default`, which is `protected`; errors deny.
//
// Where `rewrite`, `uri`, `try_files` or `handle_path` have changed the target, the
// policy evaluates both the target that the client sent and the one that the next
// handler forwards, and the stricter decision is used: FastCGI upstreams use the
// former, others the latter. Allowed requests carry the identity in the configured
// headers; headers of those names that the client sent, in any spelling (`X_User_ID`),
// are removed. Denied requests are answered by the handler, unless the site has error
// routes (`handle_errors`) for the status: then those answer. Redirects to sign in and
// gRPC statuses are always answered by the handler.
//
// These placeholders are set, whether the request is allowed or denied:
//
// Placeholder | Description
// ------------|---------------
// `{http.auth.user.id}` | The user's ID, also as `{http.auth.user.user_id}`; access logs show it as `user_id`
// `{http.auth.user.session_id}` | The session's ID
// `{http.auth.user.org_id}` | The ID of the active organization
// `{http.auth.user.org_slug}` | The slug of the active organization
// `{http.auth.user.org_role}` | The role in the active organization
// `{http.auth.user.org_permissions}` | The permissions there, separated by commas
// `{http.auth.user.token_type}` | The type of the token
// `{http.auth.user.actor}` | The ID of the user who impersonates this one (claim `act`)
// `{http.auth.user.machine_id}` | The machine of a machine token
// `{http.auth.user.client_id}` | The client of an OAuth token
// `{http.auth.user.scopes}` | The scopes of a machine token, separated by spaces
// `{http.clerk.claims.*}` | Any claim of the token, by its path
// `{http.clerk.outcome}` | `allow`, `deny`, `redirect` or `error`
// `{http.clerk.reason}` | The reason for the outcome, as in docs/reasons.md
// `{http.clerk.rule}` | The rule that decided
// `{http.clerk.client_ip}` | The client's address, by which limits count
// `{http.clerk.shadow}` | The reason for which the request would be denied outside of shadow mode
// `{http.clerk.decision_id}` | A random ID of the decision, as in the log
type Handler struct {
	// The path of a policy document (YAML or JSON) with the whole configuration. No
	// other setting is accepted beside it. It is read when Caddy loads its
	// configuration. Default: none; the settings below are used.
	File string `json:"file,omitempty"`

	// The SHA-256 of the document and of the files that it names, in hexadecimal. Set by
	// the Caddyfile adapter, so that `caddy reload` sees a changed configuration when one
	// of them changes. It is not verified. Default: none.
	FileHash string `json:"file_hash,omitempty"`

	// The policy document itself. Settings that its `clerk`, `redis` and `revocation`
	// sections do not have are inherited from the app `clerk`.
	setup.Config

	// The Caddyfile positions that errors and warnings of the start report. Set by
	// the Caddyfile adapter. Default: none.
	Places places `json:"places,omitempty"`

	// The matchers of the requests that the policy decides about. All others are
	// allowed without their identity headers, as by a rule with access `bypass`. A
	// request whose path an upstream could read as one that matches (in lower case, with
	// or without a trailing slash, without its extension) matches, too. Default: all
	// requests.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	matchers caddyhttp.MatcherSets

	policy        *policy.Policy
	filePositions map[string]document.Position // of the warnings about the File
	fileWarnings  []policy.Warning             // about files that values come from
	app           *App
	jwks          http.Handler // of assertions; nil where nothing is signed
	reporter      *observe.Reporter
	logger        *zap.Logger
	lease         *setup.Lease
	gate          *setup.Gate
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_auth",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the policy. Keys, verified tokens and counts are kept from the
// configuration before, as far as they are for the same instance and store.
func (h *Handler) Provision(ctx caddy.Context) error { return h.Places.locate(h.provision(ctx)) }

func (h *Handler) provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	found, err := h.loadMatchers(ctx)
	if err != nil {
		return err
	}
	config, err := h.document(ctx)
	if err != nil {
		return err
	}
	h.lease = shared.Lease()
	gate, err := h.lease.Gate(config, setup.Options{Logger: ctx.Slogger()})
	if err != nil {
		return err
	}
	h.gate, h.policy = gate, gate.Policy
	if gate.Upstream.Assertions != nil {
		h.jwks = gate.Upstream.Assertions
	}
	h.warn(config, append(config.Heeded(append(found, h.fileWarnings...)), gate.Warnings(config)...))
	if h.reporter, err = observe.NewReporter(adapter, ctx.Slogger(), ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	return startLease(ctx, h.lease)
}

// warn logs the warnings of the configuration, at level warn, with the names and
// positions of the Caddyfile.
func (h *Handler) warn(config *setup.Config, warnings []policy.Warning) {
	for _, w := range warnings {
		if w.Note {
			continue
		}
		at := h.filePositions[w.Path].String()
		if s := h.Places.lookup(w.Path); h.File == "" && s.At != "" {
			w.Path, at = s.Word, s.At
		}
		if w.Path == "" {
			at = "" // the warning itself names the site
		}
		h.logger.Warn(w.String(), zap.String("at", at))
	}
}

// loadMatchers loads the handler's matchers, and inspects the routes around it and the
// error routes. It returns the warnings about them.
func (h *Handler) loadMatchers(ctx caddy.Context) (found []policy.Warning, err error) {
	if len(h.MatcherSetsRaw) > 0 {
		sets, err := ctx.LoadModule(h, "MatcherSetsRaw")
		if err != nil {
			return nil, fmt.Errorf("loading matchers: %w", err)
		}
		if err := h.matchers.FromInterface(sets); err != nil {
			return nil, err
		}
	}
	h.app, found, err = inspectRoutes(ctx)
	return found, err
}

// Cleanup releases what Provision leased from the pool.
func (h *Handler) Cleanup() error {
	h.lease.Release()
	return nil
}

// ServeHTTP decides about the request: it passes an allowed one to the next handler,
// with its identity headers, and answers others. It serves the public keys of
// assertions at [assertion.Path].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.jwks != nil && r.URL.Path == assertion.Path && r.URL.RawPath == "" {
		h.jwks.ServeHTTP(w, r)
		return nil
	}
	h.app.awaitStart(r.Context())
	began := time.Now()
	r = restore(r)
	decision := h.decide(r)
	if before := exchangeOf(r); before != nil && isUnjudged(&decision) {
		return h.passUnjudged(w, r, before, &decision, next)
	}
	x := storeDecision(r, decision)
	d := &x.decision
	h.reporter.Report(r.Context(), d, time.Since(began), x)
	if !d.Allowed() {
		return h.deny(w, r, d)
	}
	httpgate.Edit(r, d)
	httpgate.AddFields(w.Header(), d)
	return next.ServeHTTP(w, r)
}

// passUnjudged passes on a request that the matchers of this handler do not match, and
// that another clerk_auth has allowed: the identity headers of that one are kept.
func (*Handler) passUnjudged(w http.ResponseWriter, r *http.Request, before *exchange, d *policy.Decision, next caddyhttp.Handler) error {
	d.RemoveHeaders = slices.DeleteFunc(slices.Clone(d.RemoveHeaders), func(name string) bool {
		return slices.ContainsFunc(before.decision.SetHeaders, func(set policy.Header) bool { return set.Name == name })
	})
	httpgate.Edit(r, d)
	return next.ServeHTTP(w, r)
}

// decide evaluates the policy for the requests that the matchers match.
func (h *Handler) decide(r *http.Request) policy.Decision {
	if len(h.matchers) == 0 {
		return h.policy.Decide(r.Context(), policyRequest(r))
	}
	return h.policy.DecideWhere(r.Context(), policyRequest(r), func(path string) bool { return mayMatch(h.matchers, r, path) })
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
