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

// Strip removes the headers that no client may send from every request, and makes no
// decision: the identity headers of the clerk_auth handlers of its server, in any
// spelling, and the headers with which upstreams override the path, method or host of a
// request. Malformed requests are denied. It is for routes that have no clerk_auth, on
// a server where others have one.
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

// ServeHTTP removes the headers that no client may send, and passes the request on.
func (s *Strip) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	s.once.Do(func() { s.policies = policiesOf(server) })
	if refused := strip(r, s.policies); refused != nil {
		return answer(w, r, refused)
	}
	return next.ServeHTTP(w, r)
}

// strip removes the headers that clients may not send under any of the policies. It
// returns the decision that denies a malformed request, or nil.
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

// policiesOf returns the policies of a running server; where it has none, one with the
// default identity headers.
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

// gatesOf returns the clerk_auth handlers of a running server.
func gatesOf(server *caddyhttp.Server) []*Handler {
	list := provisionedGates(routesOf(server.Routes))
	if server.Errors != nil {
		list = append(list, provisionedGates(routesOf(server.Errors.Routes))...)
	}
	for _, named := range server.NamedRoutes {
		list = append(list, provisionedGates(routesOf(caddyhttp.RouteList{*named}))...)
	}
	return list
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Strip)(nil)
	_ caddyfile.Unmarshaler       = (*Strip)(nil)
)
