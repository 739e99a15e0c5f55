package caddyplugin

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	// Before rewrites: they match the path that the browser requested, not a file that
	// try_files falls back to.
	register("clerk_sessions", func() directive { return new(Sessions) })
	register("clerk_frontend_api", func() directive { return new(FrontendAPI) })
}

// directive is a handler that parses its own Caddyfile tokens.
type directive interface {
	caddyhttp.MiddlewareHandler
	caddyfile.Unmarshaler
}

// register registers a directive without a matcher: a path after its name is an
// argument of the handler.
func register(name string, make func() directive) {
	httpcaddyfile.RegisterDirective(name, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		handler := make()
		if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
			return nil, withoutSecrets(err)
		}
		return h.NewRoute(nil, handler), nil
	})
	httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.Before, "method")
}

// UnmarshalCaddyfile sets up the page from Caddyfile tokens. Syntax:
//
//	clerk_sessions [<prefix>] {
//		signed_out_url       <url>
//		account_chooser_url  <url>
//		<key> <values...>    # the settings of the clerk section, as in clerk_auth
//	}
func (s *Sessions) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next()
	switch args := d.RemainingArgs(); {
	case len(args) > 1:
		return d.ArgErr()
	case len(args) == 1 && (args[0] == "" || args[0][0] != '/'):
		return d.Errf("%q is not the path of a page; write it without a matcher, such as /account/sessions", args[0])
	case len(args) == 1:
		s.Prefix = args[0]
	}
	subs := clerkSubdirectives(&s.Clerk)
	subs["signed_out_url"] = singleValue(&s.SignedOutURL)
	subs["account_chooser_url"] = singleValue(&s.AccountChooserURL)
	s.Places, err = instanceBlock(d, "clerk_sessions", subs, s.config)
	return err
}

// UnmarshalCaddyfile sets up the proxy from Caddyfile tokens. Syntax:
//
//	clerk_frontend_api {
//		upstream           <url>
//		<key> <values...>  # the settings of the clerk section, as in clerk_auth
//	}
func (f *FrontendAPI) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next()
	if d.NextArg() {
		return d.Err("clerk_frontend_api takes no arguments: its path is that of proxy_url")
	}
	subs := clerkSubdirectives(&f.Clerk)
	subs["upstream"] = singleValue(&f.Upstream)
	f.Places, err = instanceBlock(d, "clerk_frontend_api", subs, f.config)
	return err
}
