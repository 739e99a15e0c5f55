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

// Handler lets requests pass, or not, by a policy over who is signed in with
// Clerk. What no rule opens is closed, and whatever goes wrong refuses.
//
// Where `rewrite`, `uri`, `try_files` or `handle_path` have changed the target
// before, both are judged, what the client sent and what the next handler forwards,
// and the stricter decides: FastCGI upstreams go by the one, others by the other. Requests that pass carry the identity in the configured headers;
// what the client sent under those names, or under names that fold to them, is
// removed. Requests that do not pass are answered here, unless the site has
// error routes (`handle_errors`) that take the status: then those answer.
// Redirects to sign in, and gRPC statuses, are always answered here.
//
// These placeholders are set, whether the request passes or not:
//
// Placeholder | Description
// ------------|---------------
// `{http.auth.user.id}` | The user's ID, also as `{http.auth.user.user_id}`; access logs show it as `user_id`
// `{http.auth.user.session_id}` | The session's ID
// `{http.auth.user.org_id}` | The ID of the active organization
// `{http.auth.user.org_slug}` | The slug of the active organization
// `{http.auth.user.org_role}` | The role in the active organization
// `{http.auth.user.org_permissions}` | The permissions there, separated by commas
// `{http.auth.user.token_type}` | The kind of credential
// `{http.auth.user.actor}` | Who impersonates the user
// `{http.auth.user.machine_id}` | The machine of a machine token
// `{http.auth.user.client_id}` | The client of an OAuth token
// `{http.auth.user.scopes}` | The scopes of a machine token, separated by spaces
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
	// read when the configuration is loaded.
	File string `json:"file,omitempty"`

	// What the document was when a Caddyfile named it, so that Caddy sees a
	// configuration that has changed once the document has. It is not compared.
	FileHash string `json:"file_hash,omitempty"`

	// The policy document itself. What its `clerk` and `redis` sections leave
	// out comes from the app `clerk`, where there is one.
	setup.Config

	// Where the handler stands in the Caddyfile, and what can be wrong there only
	// once the server starts. The Caddyfile adapter fills it in, for messages.
	Places places `json:"places,omitempty"`

	// The requests that are judged. The others pass without what no client may
	// send, as by a rule that bypasses. A request is judged, too, if its path could
	// be read as one that these matchers match. Default: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	matchers caddyhttp.MatcherSets

	policy   *policy.Policy
	read     map[string]document.Position // of what is warned of in the File
	files    []policy.Warning             // about files that values come from
	app      *App
	keys     http.Handler // of assertions; nil where nothing is signed
	reporter *observe.Reporter
	logger   *zap.Logger
	lease    *setup.Lease
	gate     *setup.Gate
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
func (h *Handler) Provision(ctx caddy.Context) error { return h.Places.locate(h.provision(ctx)) }

func (h *Handler) provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	found, err := h.look(ctx)
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
		h.keys = gate.Upstream.Assertions
	}
	h.warn(config, append(config.Heeded(append(found, h.files...)), gate.Warnings(config)...))
	if h.reporter, err = observe.NewReporter(adapter, ctx.Slogger(), ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	return beginLease(ctx, h.lease)
}

// warn logs what the configuration probably does not mean, in the words of the
// Caddyfile and with the place there.
func (h *Handler) warn(config *setup.Config, warnings []policy.Warning) {
	for _, w := range warnings {
		if w.Note {
			continue
		}
		at := h.read[w.Path].String()
		if s := h.Places.of(w.Path); h.File == "" && s.At != "" {
			w.Path, at = s.Word, s.At
		}
		if w.Path == "" {
			at = "" // the warning says itself which site it is about
		}
		h.logger.Warn(w.String(), zap.String("at", at))
	}
}

// look sees to what is around the handler: its matchers, the routes before and
// behind it, and those that answer its refusals.
func (h *Handler) look(ctx caddy.Context) (found []policy.Warning, err error) {
	if len(h.MatcherSetsRaw) > 0 {
		sets, err := ctx.LoadModule(h, "MatcherSetsRaw")
		if err != nil {
			return nil, fmt.Errorf("loading matchers: %w", err)
		}
		if err := h.matchers.FromInterface(sets); err != nil {
			return nil, err
		}
	}
	h.app, found, err = surround(ctx)
	return found, err
}

// Cleanup gives back what Provision took from the pools.
func (h *Handler) Cleanup() error {
	h.lease.Release()
	return nil
}

// ServeHTTP asks the policy and does what it says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.keys != nil && r.URL.Path == assertion.Path && r.URL.RawPath == "" {
		h.keys.ServeHTTP(w, r)
		return nil
	}
	h.app.wait(r.Context())
	began := time.Now()
	r = release(r)
	decision := h.decide(r)
	if before := visitOf(r); before != nil && isUnjudged(&decision) {
		return h.passOn(w, r, before, &decision, next)
	}
	visit := remember(r, decision)
	d := &visit.decision
	h.reporter.Report(r.Context(), d, time.Since(began), visit)
	if !d.Allowed() {
		return h.refuse(w, r, d)
	}
	httpgate.Edit(r, d)
	httpgate.AddFields(w.Header(), d)
	return next.ServeHTTP(w, r)
}

// passOn hands on what this handler is not to judge, but another before it has:
// what that one said of the user is kept.
func (*Handler) passOn(w http.ResponseWriter, r *http.Request, before *visit, d *policy.Decision, next caddyhttp.Handler) error {
	d.RemoveHeaders = slices.DeleteFunc(slices.Clone(d.RemoveHeaders), func(name string) bool {
		return slices.ContainsFunc(before.decision.SetHeaders, func(set policy.Header) bool { return set.Name == name })
	})
	httpgate.Edit(r, d)
	return next.ServeHTTP(w, r)
}

// decide asks the policy about the requests that the matchers match.
func (h *Handler) decide(r *http.Request) policy.Decision {
	if len(h.matchers) == 0 {
		return h.policy.Decide(r.Context(), policyRequest(r))
	}
	return h.policy.DecideWhere(r.Context(), policyRequest(r), func(path string) bool { return couldMatch(h.matchers, r, path) })
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
