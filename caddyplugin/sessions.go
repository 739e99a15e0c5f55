package caddyplugin

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/sessionpage"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(Sessions{})
}

// Sessions is a page on which users see their sessions, and sign out of them: of one
// device, of this one, or of all. It needs no Clerk front end and no JavaScript.
// Clients that accept JSON get the same as JSON.
//
// It answers requests below its prefix, for the user of the request's own session, and
// passes all others to the next handler. Requires the instance's `secret_key`.
type Sessions struct {
	// The path of the page. Default: `/__clerkgate/sessions`.
	Prefix string `json:"prefix,omitempty"`

	// The redirect after signing out: a path of this site, or an absolute URL.
	// Default: a page that says that the user is signed out.
	SignedOutURL string `json:"signed_out_url,omitempty"`

	// The page on which users choose among the accounts of their browser: a path of
	// this site, or an absolute URL. Default: `choose` below the sign-in URL, where
	// Clerk's sign-in page has it.
	AccountChooserURL string `json:"account_chooser_url,omitempty"`

	// The Clerk instance. Default: the settings of the site's clerk_auth, or of the app
	// `clerk`.
	Clerk session.Config `json:"clerk,omitzero"`

	// The Caddyfile positions that errors and warnings of the start report. Set by
	// the Caddyfile adapter. Default: none.
	Places places `json:"places,omitempty"`

	page  *sessionpage.Handler
	lease *setup.Lease
}

// config returns the handler's own settings, without inherited ones.
func (s *Sessions) config() setup.Config {
	return setup.Config{Clerk: s.Clerk}
}

// CaddyModule returns the Caddy module information.
func (Sessions) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_sessions",
		New: func() caddy.Module { return new(Sessions) },
	}
}

// Provision makes the page. Keys, verified tokens and counts are shared with the
// clerk_auth handlers.
func (s *Sessions) Provision(ctx caddy.Context) error { return s.Places.locate(s.provision(ctx)) }

func (s *Sessions) provision(ctx caddy.Context) error {
	document, err := instanceConfig(ctx, s.config(), s.Places)
	if err != nil {
		return err
	}
	config := document.Clerk
	if err := config.Validate(); err != nil {
		return err
	}
	texts, err := replaceAll(s.Prefix, s.SignedOutURL, s.AccountChooserURL)
	if err != nil {
		return err
	}
	s.lease = shared.Lease()
	stores, err := s.lease.Stores(document)
	if err != nil {
		return err
	}
	authenticator, err := s.lease.Session(document)
	if err != nil {
		return err
	}
	for _, warning := range document.Heeded(config.Warnings()) {
		ctx.Logger().Warn(warning.String())
	}
	s.page, err = sessionpage.New(sessionpage.Options{
		Prefix: texts[0], SignedOutURL: texts[1], AccountChooserURL: texts[2],
		TrustedProxies: document.TrustedProxies,
		Clerk:          config, Authenticator: authenticator, Limiter: stores.Limiter, Request: policyRequest, Logger: ctx.Slogger(),
		Instance: authenticator.Instance(),
		Revoker:  stores.Revocations, Revocations: stores.Revocations,
	})
	if err != nil {
		return err
	}
	return startLease(ctx, s.lease)
}

// Cleanup releases what Provision leased from the pool.
func (s *Sessions) Cleanup() error {
	s.lease.Release()
	return nil
}

// ServeHTTP answers requests below the prefix, and passes on all others.
func (s *Sessions) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !s.page.Handles(r.URL.EscapedPath()) {
		return next.ServeHTTP(w, r)
	}
	s.page.ServeHTTP(w, r)
	hideLocation(w, r, http.StatusTemporaryRedirect)
	return nil
}

// replaceAll replaces global placeholders in values.
func replaceAll(texts ...string) ([]string, error) {
	for i := range texts {
		var err error
		if texts[i], err = replaceGlobal(texts[i]); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Sessions)(nil)
	_ caddy.CleanerUpper          = (*Sessions)(nil)
	_ caddyhttp.MiddlewareHandler = (*Sessions)(nil)
	_ caddyfile.Unmarshaler       = (*Sessions)(nil)
)
