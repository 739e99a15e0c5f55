package caddyplugin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// heldPath is what error routes see in place of the target of a request that was
// refused, or that failed before anybody judged it: so they cannot serve or
// forward it. What was asked for is in {http.request.orig_uri}.
const heldPath = "/__clerkgate/refused"

// plain are the handlers that answer errors without serving or forwarding
// anything.
var plain = []string{"static_response", "headers", "vars", "map", "encode", "subroute", "error", "rewrite", "log_append", "clerk_auth", "clerk_strip"}

// errorGuard comes before the error routes of a server, or of routes inside of it.
type errorGuard struct {
	server *caddyhttp.Server
	// serves: the error routes do more than to answer.
	serves bool
	// judges: there is a clerk_auth among them.
	judges bool
	// texts are those by which they may bring back what was refused.
	texts    []string
	once     sync.Once
	sites    []guardedSite
	policies []*policy.Policy
}

// guardedSite is one of the server's sites, and whether it has a clerk_auth.
type guardedSite struct {
	matchers caddyhttp.MatcherSets
	guarded  bool
}

// guard puts an errorGuard before the error routes of routes that are being made,
// once. Later it would come too late: then refusals are answered here.
func guard(server *caddyhttp.Server, routes caddyhttp.RouteList, errors *caddyhttp.HTTPErrorConfig) {
	if errors == nil || guardOf(errors.Routes) != nil || !beingMade(routes) {
		return
	}
	first := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{newErrorGuard(server, routesOf(errors.Routes))}}
	errors.Routes = append(caddyhttp.RouteList{first}, errors.Routes...)
}

func newErrorGuard(server *caddyhttp.Server, routes []route) *errorGuard {
	w := walk{named: namedRoutes(server)}
	return &errorGuard{server: server, serves: doMore(routes), judges: w.contains(routes, isGate), texts: recallingTexts(routes, w.named)}
}

// beingMade reports whether Caddy is still making handlers of the routes. It makes
// those of error routes next.
func beingMade(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 })
}

// doMore reports whether error routes do more than to answer.
func doMore(routes []route) bool {
	return contains(routes, func(module string) bool { return !slices.Contains(plain, module) })
}

// guardOf is the errorGuard before error routes; nil for none.
func guardOf(routes caddyhttp.RouteList) *errorGuard {
	if len(routes) == 0 || len(routes[0].Handlers) == 0 {
		return nil
	}
	g, _ := routes[0].Handlers[0].(*errorGuard)
	return g
}

// takes reports whether the routes behind the guard handle the error of a request
// that is refused.
func (g *errorGuard) takes(r *http.Request, err error) bool {
	if g == nil {
		return false
	}
	if g.serves {
		r = preview(r)
	}
	return takesError(g.server.Errors.Routes[1:], g.server.Errors.WithError(r, err))
}

// ServeHTTP holds back requests that no clerk_auth let pass.
func (g *errorGuard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !g.serves {
		return next.ServeHTTP(w, r)
	}
	g.once.Do(g.look)
	switch v := visitOf(r); {
	case v == nil && !g.isGuarded(r):
	case v == nil:
		if refused := strip(r, g.policies); refused != nil {
			return answer(w, r, refused)
		}
		if r = hold(r, true); !g.judges && g.recalls(r) {
			w.WriteHeader(failure(r))
			return nil
		}
	case !v.decision.Allowed():
		if r = hold(r, false); g.recalls(r) {
			return answer(w, r, &v.decision)
		}
	}
	return next.ServeHTTP(w, r)
}

// recalls reports whether the error routes would bring back what was taken out of a
// request.
func (g *errorGuard) recalls(r *http.Request) bool {
	kept, _ := r.Context().Value(heldKey{}).(*heldRequest)
	return kept != nil && recalled(r, &kept.url, g.texts)
}

// failure is the status of the error that a request is handled for.
func failure(r *http.Request) int {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok && failed.StatusCode != 0 {
		return failed.StatusCode
	}
	return http.StatusInternalServerError
}

// look finds the sites of the server. By then Caddy has made all of its handlers.
func (g *errorGuard) look() {
	g.policies = policiesOf(g.server)
	routes := routesOf(g.server.Routes)
	w := walk{named: namedRoutes(g.server)}
	if separate(routes) {
		for i, r := range routes {
			if r.terminal {
				guarded := slices.ContainsFunc(routes, func(other route) bool {
					return samePart(&r, &other) && w.contains([]route{other}, isGate)
				})
				g.sites = append(g.sites, guardedSite{g.server.Routes[i].MatcherSets, guarded || w.contains(routes[i:i+1], isGate)})
			}
		}
		return
	}
	g.sites = []guardedSite{{nil, w.contains(routes, isGate)}}
}

// isGuarded reports whether the request is for a site that has a clerk_auth.
// What cannot be told is.
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

// heldRequest is what was taken out of a request that is held back.
type heldRequest struct {
	request *http.Request
	url     url.URL
	// release: nobody has judged it yet, so that a clerk_auth may.
	release bool
}

// heldKey is where the context of a request has what was taken out of it.
type heldKey struct{}

// aboutTarget are the fields that say something about the target or the body that
// was asked for, or would make a tunnel of the connection.
var aboutTarget = []string{
	"Upgrade", "Connection", "Http2-Settings", ":protocol", "Te", "Trailer", "Expect", "Range", "If-Range", "If-Match", "If-None-Match",
	"If-Modified-Since", "If-Unmodified-Since", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Transfer-Encoding",
}

// hold takes target, method and body out of a request.
func hold(r *http.Request, mayRelease bool) *http.Request {
	kept := &heldRequest{request: r, url: *r.URL, release: mayRelease}
	held := preview(r)
	*r.URL = *held.URL // shared with the placeholders
	held.URL = r.URL
	ctx := context.WithValue(held.Context(), heldKey{}, kept)
	return held.WithContext(ctx)
}

// preview is a request as error routes will see it once it is held back.
func preview(r *http.Request) *http.Request {
	target := &url.URL{Path: heldPath}
	method := http.MethodGet
	if r.Method == http.MethodHead {
		method = http.MethodHead
	}
	original := http.Request{Method: method, RemoteAddr: r.RemoteAddr, RequestURI: heldPath, URL: &url.URL{Path: heldPath}}
	held := r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
	held.Method, held.URL, held.RequestURI = method, target, heldPath
	held.Body, held.ContentLength, held.TransferEncoding, held.Trailer = http.NoBody, 0, nil, nil
	held.Header = maps.Clone(r.Header)
	for _, name := range aboutTarget {
		delete(held.Header, name)
	}
	return held
}

// release gives a request that is held back, and that nobody has judged, what was
// taken out of it: clerk_auth in error routes judges what was asked for. Where it
// was rewritten since, it judges that.
func release(r *http.Request) *http.Request {
	kept, _ := r.Context().Value(heldKey{}).(*heldRequest)
	if kept == nil || !kept.release || r.URL.Path != heldPath {
		return r
	}
	*r.URL = kept.url
	return kept.request
}
