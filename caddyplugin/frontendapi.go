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
// `proxy_url`, for domains on which Clerk cannot have a host of its own. It
// hands all other requests on.
//
// Needs `proxy_url` and `secret_key`. The key goes to Clerk, with the address of
// the client as Caddy has it from its `trusted_proxies`, and nowhere else. It
// comes before clerk_auth: signing in happens through it.
type FrontendAPI struct {
	// The base of Clerk's Frontend API. Default: by the host that the
	// publishable key names; `https://frontend-api.clerk.dev` in production.
	Upstream string `json:"upstream,omitempty"`

	// The instance. What it leaves out comes from the app `clerk`, where there is
	// one.
	Clerk session.Config `json:"clerk,omitzero"`

	// Where the handler stands in the Caddyfile, and what can be wrong there only
	// once the server starts. The Caddyfile adapter fills it in, for messages.
	Places places `json:"places,omitempty"`

	proxy *frontendapi.Handler
}

// config is what the handler itself says of the instance.
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
	document, err := instance(ctx, f.config(), f.Places)
	if err != nil {
		return err
	}
	config := document.Clerk
	if err := config.Validate(); err != nil {
		return err
	}
	upstream, err := replaceKnown(f.Upstream)
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

// ServeHTTP forwards requests to the Frontend API.
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
