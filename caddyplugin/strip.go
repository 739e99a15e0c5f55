package caddyplugin

import (
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

func init() {
	caddy.RegisterModule(new(Strip))
	register("clerk_strip", func() directive { return new(Strip) })
}

// Strip judges nothing. It takes from every request what no client may send: the
// identity headers of the clerk_auth handlers of its server, in any spelling, and
// the headers by which upstreams let a request claim another path, method or
// host. It is for routes that have no clerk_auth, beside others that do.
type Strip struct {
	once     sync.Once
	policies []*policy.Policy
}

// CaddyModule returns the Caddy module information.
func (*Strip) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.clerk_strip",
		New: func() caddy.Module { return new(Strip) },
	}
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	clerk_strip
func (s *Strip) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.Err("clerk_strip stands alone: write it without a matcher, inside the block that it is for")
	}
	return nil
}

// ServeHTTP hands the request on, without what no client may send.
func (s *Strip) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	s.once.Do(func() { s.policies = policiesOf(server) })
	if refused := strip(r, s.policies); refused != nil {
		return answer(w, r, refused)
	}
	return next.ServeHTTP(w, r)
}

// strip takes from a request what clients may not send under any of the policies.
// A request that is not well formed is refused.
func strip(r *http.Request, policies []*policy.Policy) (refused *policy.Decision) {
	request := policyRequest(r)
	for _, p := range policies {
		d := p.DecideWhere(r.Context(), request, func(string) bool { return false })
		if !d.Allowed() {
			return &d
		}
		httpgate.Edit(r, &d)
	}
	return nil
}

// policiesOf are the policies of a server that runs: one that knows the default
// headers, where there is none.
func policiesOf(server *caddyhttp.Server) []*policy.Policy {
	var policies []*policy.Policy
	if server != nil {
		for _, gate := range gatesOf(server) {
			policies = append(policies, gate.policy)
		}
	}
	if len(policies) == 0 {
		if p, err := policy.New(policy.Config{Default: policy.Default{Access: policy.DenyAccess}}, policy.Deps{Now: time.Now}); err == nil {
			policies = append(policies, p)
		}
	}
	return policies
}

// gatesOf are the clerk_auth handlers of a server that runs.
func gatesOf(server *caddyhttp.Server) []*Handler {
	list := gates(routesOf(server.Routes))
	if server.Errors != nil {
		list = append(list, gates(routesOf(server.Errors.Routes))...)
	}
	for _, named := range server.NamedRoutes {
		list = append(list, gates(routesOf(caddyhttp.RouteList{*named}))...)
	}
	return list
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
	_ caddyfile.Unmarshaler       = (*Strip)(nil)
)
