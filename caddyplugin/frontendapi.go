package caddyplugin

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/frontendapi"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/session"
)

func init() {
	caddy.RegisterModule(FrontendAPI{})
}

// FrontendAPI proxies Clerk's Frontend API below the path of the instance's
// `proxy_url`, for domains on which Clerk cannot have its own subdomain (clerk.<domain>).
// It passes all other requests to the next handler.
//
// Requires `proxy_url` and `secret_key`. The key is sent to Clerk only, with the
// client's address, which Caddy takes from its `trusted_proxies`. The handler comes
// before clerk_auth, because users sign in through it.
type FrontendAPI struct {
	// The base URL of Clerk's Frontend API. Default: derived from the host in the
	// publishable key; `https://frontend-api.clerk.dev` in production.
	Upstream string `json:"upstream,omitempty"`

	// The Clerk instance. Default: the settings of the site's clerk_auth, or of the app
	// `clerk`.
	Clerk session.Config `json:"clerk,omitzero"`

	// The Caddyfile positions that errors and warnings of the start report. Set by
	// the Caddyfile adapter. Default: none.
	Places places `json:"places,omitempty"`

	proxy *frontendapi.Handler
}

// config returns the handler's own settings, without inherited ones.
func (f *FrontendAPI) config() setup.Config {
	return setup.Config{Clerk: f.Clerk}
}

// CaddyModule returns the Caddy module information.
func (FrontendAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_frontend_api",
		New: func() caddy.Module { return new(FrontendAPI) },
	}
}

// Provision makes the proxy.
func (f *FrontendAPI) Provision(ctx caddy.Context) error { return f.Places.locate(f.provision(ctx)) }

func (f *FrontendAPI) provision(ctx caddy.Context) error {
	document, err := instanceConfig(ctx, f.config(), f.Places)
	if err != nil {
		return err
	}
	config := document.Clerk
	if err := config.Validate(); err != nil {
		return err
	}
	upstream, err := replaceGlobal(f.Upstream)
	if err != nil {
		return err
	}
	f.proxy, err = frontendapi.New(frontendapi.Options{Clerk: config, Upstream: upstream, TrustedProxies: document.TrustedProxies, Request: policyRequest, Logger: ctx.Slogger()})
	if err != nil {
		return err
	}
	for _, warning := range f.proxy.Warnings() {
		ctx.Logger().Warn(warning.String())
	}
	return nil
}

// ServeHTTP forwards requests below the path of `proxy_url` to the Frontend API.
func (f *FrontendAPI) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !f.proxy.Handles(r.URL.EscapedPath()) {
		return next.ServeHTTP(w, r)
	}
	f.proxy.ServeHTTP(w, r)
	hideLocation(w, r, http.StatusOK)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*FrontendAPI)(nil)
	_ caddyhttp.MiddlewareHandler = (*FrontendAPI)(nil)
	_ caddyfile.Unmarshaler       = (*FrontendAPI)(nil)
)
