package caddyplugin

import (
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// answerOnly are the handlers that answer errors without serving or forwarding
// anything.
var answerOnly = []string{"static_response", "headers", "vars", "map", "encode", "subroute", "error", "rewrite", "log_append", "clerk_auth", "clerk_strip"}

// errorGuard is the handler that comes before the error routes of a server, or of routes
// inside of it. It withholds the target of denied requests from them.
type errorGuard struct {
	server *caddyhttp.Server
	// servesOrForwards: the error routes do more than answer.
	servesOrForwards bool
	// hasAuth: there is a clerk_auth among the error routes.
	hasAuth bool
	// targetTexts are those by which the error routes may serve what was denied.
	targetTexts []string
	once        sync.Once
	sites       []guardedSite
	policies    []*policy.Policy
}

// guardedSite is one of the server's sites, and whether it has a clerk_auth.
type guardedSite struct {
	matchers caddyhttp.MatcherSets
	guarded  bool
}

// addErrorGuard puts an errorGuard before the error routes of routes that are being
// provisioned, once. It cannot be added later: without one, clerk_auth answers denied
// requests itself.
func addErrorGuard(server *caddyhttp.Server, routes caddyhttp.RouteList, errors *caddyhttp.HTTPErrorConfig) {
	if errors == nil || errorGuardOf(errors.Routes) != nil || !beingProvisioned(routes) {
		return
	}
	first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{newErrorGuard(server, routesOf(errors.Routes))}}
	errors.Routes = append(caddyhttp.RouteList{first}, errors.Routes...)
}

func newErrorGuard(server *caddyhttp.Server, routes []route) *errorGuard {
	w := walk{named: namedRoutes(server)}
	return &errorGuard{server: server, servesOrForwards: serveOrForward(routes), hasAuth: w.contains(routes, isGate), targetTexts: textsWithTarget(routes, w.named)}
}

// beingProvisioned reports whether Caddy is still provisioning handlers of the routes.
// It provisions those of error routes next.
func beingProvisioned(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 })
}

// serveOrForward reports whether error routes do more than answer.
func serveOrForward(routes []route) bool {
	return contains(routes, func(module string) bool { return !slices.Contains(answerOnly, module) })
}

// errorGuardOf returns the errorGuard before error routes; nil where there is none.
func errorGuardOf(routes caddyhttp.RouteList) *errorGuard {
	if len(routes) == 0 || len(routes[0].Handlers) == 0 {
		return nil
	}
	g, _ := routes[0].Handlers[0].(*errorGuard)
	return g
}

// handles reports whether the routes behind the guard handle the error of a denied
// request.
func (g *errorGuard) handles(r *http.Request, err error) bool {
	if g == nil {
		return false
	}
	if g.servesOrForwards {
		r = preview(r)
	}
	return handlesError(g.server.Errors.Routes[1:], g.server.Errors.WithError(r, err))
}

// ServeHTTP withholds the target of requests that no clerk_auth has allowed.
func (g *errorGuard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !g.servesOrForwards {
		return next.ServeHTTP(w, r)
	}
	g.once.Do(g.findSites)
	switch v := exchangeOf(r); {
	case v == nil && !g.isGuarded(r):
	case v == nil:
		if refused := strip(r, g.policies); refused != nil {
			return answer(w, r, refused)
		}
		if r = withhold(r, true); !g.hasAuth && g.namesTarget(r) {
			w.WriteHeader(errorStatus(r))
			return nil
		}
	case !v.decision.Allowed():
		if r = withhold(r, false); g.namesTarget(r) {
			return answer(w, r, &v.decision)
		}
	}
	return next.ServeHTTP(w, r)
}

// namesTarget reports whether the error routes would serve the target that is withheld
// from a request.
func (g *errorGuard) namesTarget(r *http.Request) bool {
	kept, _ := r.Context().Value(withheldKey{}).(*withheldRequest)
	return kept != nil && namesTarget(r, &kept.url, g.targetTexts)
}

// errorStatus returns the status of the error that the error routes handle.
func errorStatus(r *http.Request) int {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok && failed.StatusCode != 0 {
		return failed.StatusCode
	}
	return http.StatusInternalServerError
}

// findSites finds the sites of the server. By then Caddy has provisioned all of its
// handlers.
func (g *errorGuard) findSites() {
	g.policies = policiesOf(g.server)
	routes := routesOf(g.server.Routes)
	w := walk{named: namedRoutes(g.server)}
	if allTerminal(routes) {
		for i, r := range routes {
			if r.terminal {
				guarded := slices.ContainsFunc(routes, func(other route) bool {
					return sameSite(&r, &other) && w.contains([]route{other}, isGate)
				})
				g.sites = append(g.sites, guardedSite{g.server.Routes[i].MatcherSets, guarded || w.contains(routes[i:i+1], isGate)})
			}
		}
		return
	}
	g.sites = []guardedSite{{nil, w.contains(routes, isGate)}}
}

// isGuarded reports whether the request is for a site that has a clerk_auth. It is true
// where a matcher returns an error.
func (g *errorGuard) isGuarded(r *http.Request) bool {
	for _, site := range g.sites {
		match, err := site.matchers.AnyMatchWithError(r)
		if err != nil {
			return true
		}
		if match {
			return site.guarded
		}
	}
	return false
}
