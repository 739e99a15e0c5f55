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

// Sessions is a page on which people see where they are signed in, and sign out
// there: one device, this one, or all of them. It needs no Clerk front end and no
// JavaScript. Programs get the same as JSON.
//
// It answers requests below its prefix, by the session of the request alone, and
// hands all others on. Needs the instance's `secret_key`.
type Sessions struct {
	// The path of the page. Default: `/__clerkgate/sessions`.
	Prefix string `json:"prefix,omitempty"`

	// Where a browser goes once it is signed out: a path of this site, or an
	// absolute URL. Default: a page that says so.
	SignedOutURL string `json:"signed_out_url,omitempty"`

	// Where people choose among the accounts of their browser, in the same form.
	// Default: `choose` below the sign-in page, where Clerk's sign-in has it.
	AccountChooserURL string `json:"account_chooser_url,omitempty"`

	// The instance. What it leaves out comes from the app `clerk`, where there is
	// one.
	Clerk session.Config `json:"clerk,omitzero"`

	// Where the handler stands in the Caddyfile, and what can be wrong there only
	// once the server starts. The Caddyfile adapter fills it in, for messages.
	Places places `json:"places,omitempty"`

	page  *sessionpage.Handler
	lease *setup.Lease
}

// config is what the handler itself says of the instance.
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
// handlers clerk_auth.
func (s *Sessions) Provision(ctx caddy.Context) error { return s.Places.locate(s.provision(ctx)) }

func (s *Sessions) provision(ctx caddy.Context) error {
	document, err := instance(ctx, s.config(), s.Places)
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
	return beginLease(ctx, s.lease)
}

// Cleanup gives back what Provision took from the pools.
func (s *Sessions) Cleanup() error {
	s.lease.Release()
	return nil
}

// ServeHTTP answers requests to the page.
func (s *Sessions) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !s.page.Handles(r.URL.EscapedPath()) {
		return next.ServeHTTP(w, r)
	}
	s.page.ServeHTTP(w, r)
	hideLocation(w, r, http.StatusTemporaryRedirect)
	return nil
}

// replaceAll replaces global placeholders in texts.
func replaceAll(texts ...string) ([]string, error) {
	for i := range texts {
		var err error
		if texts[i], err = replaceKnown(texts[i]); err != nil {
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
