package caddyplugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// neverForward are the handlers of Caddy that neither forward requests nor pass them
// to other programs.
var neverForward = []string{
	"acme_server", "authentication", "copy_response", "copy_response_headers", "encode", "error", "file_server", "headers", "intercept",
	"invoke", "log_append", "map", "metrics", "push", "request_body", "rewrite", "static_response", "subroute", "templates", "timeouts", "tracing", "vars",
	"clerk_auth", "clerk_strip", "clerk_sessions", "clerk_frontend_api", "clerk_webhooks",
}

// forwarders are the handlers that forward requests to an application, which may
// trust the identity headers that clients send.
var forwarders = []string{"reverse_proxy", "php", "cgi", "fastcgi", "exec"}

// findings are the errors and warnings about the order of a server's handlers.
type findings struct {
	errors   []string
	warnings []policy.Warning
}

func (f *findings) errorf(format string, args ...any) {
	f.errors = appendOnce(f.errors, fmt.Sprintf(format, args...))
}

func (f *findings) warnf(id, format string, args ...any) {
	f.warnings = appendOnce(f.warnings, policy.Warning{ID: id, Msg: fmt.Sprintf(format, args...)})
}

func appendOnce[T comparable](list []T, one T) []T {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// checkLayout finds routes of a server that serve or forward requests which no
// clerk_auth has decided about. It does not look at sites without clerk_auth.
func checkLayout(server *caddyhttp.Server) findings {
	var errors []route
	if server.Errors != nil {
		errors = routesOf(server.Errors.Routes)
	}
	return checkRoutes(routesOf(server.Routes), errors, namedRoutes(server))
}

// namedRoutes returns the routes that others invoke, by name.
func namedRoutes(server *caddyhttp.Server) map[string][]route {
	named := map[string][]route{}
	for name, r := range server.NamedRoutes {
		named[name] = routesOf(caddyhttp.RouteList{*r})
	}
	return named
}

func checkRoutes(routes, errors []route, named map[string][]route) findings {
	var found findings
	for _, site := range sitesOf(routes) {
		w := &walk{named: named, name: siteName(site) + gatePlace(site, named), found: &found}
		if !w.contains(site, isGate) {
			continue
		}
		w.routes(site, state{reached: true, unprotected: true})
		w.inErrors = true
		for _, r := range errors {
			if sameHosts(r.hosts, w.hosts(site)) {
				w.routes([]route{r}, state{reached: true, unprotected: true, authenticated: true})
			}
		}
	}
	return found
}

func (*walk) hosts(site []route) []string {
	if len(site) == 1 {
		return site[0].hosts
	}
	return nil
}

// sameHosts reports whether one request may match both lists of hosts; an empty list
// matches all.
func sameHosts(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(host string) bool {
		return slices.ContainsFunc(b, func(other string) bool { return overlap(host, other) })
	})
}

// overlap reports whether a host can match both patterns, in which * is any label.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	return len(as) == len(bs) && !slices.ContainsFunc(as, func(label string) bool {
		other := bs[0]
		bs = bs[1:]
		return label != "*" && other != "*" && !strings.EqualFold(label, other)
	})
}

func siteName(site []route) string {
	if len(site) == 1 && len(site[0].hosts) > 0 {
		return "site " + strings.Join(site[0].hosts, ", ")
	}
	return "this site"
}

// state is what may be true of the requests that reach one place in the routes.
type state struct {
	// reached: there may be such requests.
	reached bool
	// unprotected: neither clerk_auth nor clerk_strip may have handled some of them.
	unprotected bool
	// authenticated: clerk_auth may have authenticated some of them.
	authenticated bool
	// rewrittenTo is the file that some were rewritten to, whatever their path.
	rewrittenTo string
}

func (s state) or(other state) state {
	if s.rewrittenTo == "" {
		s.rewrittenTo = other.rewrittenTo
	}
	return state{s.reached || other.reached, s.unprotected || other.unprotected, s.authenticated || other.authenticated, s.rewrittenTo}
}

// walk follows the paths that requests may take through a site's routes.
type walk struct {
	name     string
	named    map[string][]route
	found    *findings
	inErrors bool
	// targetStored: error routes store the original target in placeholders.
	targetStored bool
	// inIntercept: the routes are those of an intercept handler, which see the response
	// and may replace it.
	inIntercept bool
	depth       int
}

// contains is the function contains, but follows invoked routes as well.
func (w *walk) contains(routes []route, is func(module string) bool) bool {
	if contains(routes, is) {
		return true
	}
	for name, inner := range w.named {
		if contains(inner, is) && containsInvoke(routes, name) {
			return true
		}
	}
	return false
}

func containsInvoke(routes []route, name string) bool {
	for _, r := range routes {
		for _, s := range r.handlers {
			if s.module == "invoke" && s.named == name || containsInvoke(s.routes, name) || containsInvoke(s.errors, name) {
				return true
			}
		}
	}
	return false
}

// routes returns the state of the requests that come out of the routes.
func (w *walk) routes(routes []route, all state) state {
	groups := map[string]*group{}
	for i := range routes {
		r := &routes[i]
		g := groups[r.group]
		if g == nil || r.group == "" {
			g = &group{free: all}
			groups[r.group] = g
		}
		g.free.unprotected = g.free.unprotected && all.unprotected // a route between them may have changed that
		if !g.free.reached {
			continue
		}
		w.checkMatchers(r, g.free)
		w.targetStored = w.targetStored || r.storesTarget && w.inErrors
		w.checkTargetPlaceholder(targetPlaceholder(r.tries), "try_files", g.free)
		out := w.handlers(r, g.free)
		if !r.terminal {
			g.matched = g.matched.or(out)
		}
		if len(r.matchers) == 0 {
			g.free = state{}
		}
		all = g.matched.or(g.free)
	}
	return all
}

// group is a group of routes, of which only the first that matches a request handles
// it. A route without a group is a group of its own.
type group struct {
	// matched are the requests that one of the routes has handled; free are those that
	// none has matched.
	matched, free state
}

func (w *walk) checkMatchers(r *route, entering state) {
	if slices.Contains(r.matchers, "clerk") && !entering.authenticated && !w.inErrors {
		w.found.errorf("%s: a matcher clerk is evaluated before clerk_auth has authenticated the request, and so never matches: write both into a route block, clerk_auth first", w.name)
	}
}

// handlers returns the state of the requests that come out of a route's handlers.
func (w *walk) handlers(r *route, s state) state {
	for i := range r.handlers {
		if s = w.handler(r, &r.handlers[i], s); !s.reached {
			break
		}
	}
	return s
}

func (w *walk) handler(r *route, h *step, s state) state {
	w.targetStored = w.targetStored || h.storesTarget && w.inErrors
	w.checkTargetPlaceholder(r.targetPlaceholder(h), h.module, s)
	switch {
	case h.module == "clerk_auth":
		w.checkRewritten(s)
		return state{reached: true, authenticated: true}
	case h.module == "clerk_strip":
		s.unprotected = false
		return s
	case h.module == "invoke":
		return w.inside(w.named[h.named], s)
	case h.module == "intercept":
		before := w.inIntercept
		w.inIntercept = true
		w.inside(h.routes, s)
		w.inIntercept = before
		return s
	case h.module == "rewrite":
		return w.rewrite(r, h, s)
	case h.module == "static_response", h.module == "error":
		return state{}
	case h.module == "file_server":
		w.checkServed(h, s)
		s.reached = h.passThru
		return s
	case slices.Contains(forwarders, h.module):
		w.checkForwarded(h, s)
		return w.inside(h.routes, s)
	case !slices.Contains(neverForward, h.module):
		w.checkUnknown(h, s)
	}
	out := w.inside(h.routes, s)
	for _, failed := range h.errors {
		out = out.or(w.inside([]route{failed}, s))
	}
	return out
}

// inside follows routes inside of a handler.
func (w *walk) inside(routes []route, s state) state {
	const deepest = 100 // routes may invoke each other in a circle
	if w.depth++; w.depth > deepest {
		return s
	}
	s = w.routes(routes, s)
	w.depth--
	return s
}

// rewrite records where every path is rewritten to one file.
func (w *walk) rewrite(r *route, h *step, s state) state {
	switch {
	case r.fallback != "":
		s.rewrittenTo = r.fallback
	case h.uri != "" && !strings.Contains(pathOf(h.uri), "{") && !slices.Contains(r.matchers, "path"):
		s.rewrittenTo = pathOf(h.uri)
	}
	kept := r.targetPlaceholder(h) != "" || w.inIntercept && strings.Contains(pathOf(h.uri), "{http.request.")
	if (w.inErrors || w.inIntercept) && h.uri != "" && !kept && (len(r.matchers) == 0 || r.fallback != "") {
		s.unprotected = false // the file served is not the one requested
	}
	return s
}

func (w *walk) checkRewritten(s state) {
	if s.rewrittenTo != "" && !w.inErrors {
		w.found.warnf(policy.WarnCaddyPathFixed, "%s: try_files or rewrite comes before clerk_auth, so that it judges %s beside what was asked for: write them into a route block, clerk_auth first", w.name, s.rewrittenTo)
	}
}

func (w *walk) checkForwarded(h *step, s state) {
	switch {
	case !s.unprotected:
	case w.inErrors:
		w.checkServed(h, s)
	default:
		w.found.errorf("%s: %s%s receives requests that no clerk_auth has checked, with any identity that the client sets: put clerk_auth outside of matchers and blocks, with public and bypass rules for what is open; or put clerk_strip before the %s, where no identity is wanted", w.name, h.module, h.about, h.module)
	}
}

func (w *walk) checkServed(h *step, s state) {
	if w.inIntercept && s.unprotected && !w.inErrors {
		w.found.errorf("%s: intercept comes before clerk_auth, so that its %s would serve the denied request: put it behind clerk_auth, or write `rewrite * /401.html`, or the like, before the %s", w.name, h.module, h.module)
	}
	if w.inErrors && s.unprotected {
		w.found.warnf(policy.WarnCaddyErrorRoutes, "%s: error routes pass the denied request to %s%s, which will see %s in its place: write `rewrite * /{err.status_code}.html`, or the like, before it", w.name, h.module, h.about, withheldPath)
	}
}

func (w *walk) checkUnknown(h *step, s state) {
	if s.unprotected && !w.inErrors {
		w.found.warnf(policy.WarnCaddyHandlerUnseen, "%s: the handler %s sees requests that no clerk_auth has checked, with any identity that the client sets: put clerk_auth, or clerk_strip, before it", w.name, h.module)
	}
}
