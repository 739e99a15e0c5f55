package caddyplugin

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// route is what matters here of one of Caddy's routes. While Caddy provisions a
// server, some of its routes are modules and the others still JSON.
type route struct {
	group    string
	terminal bool
	hosts    []string
	// matchers are the names of all matchers, those inside of `not` as well;
	// none: the route is for every request.
	matchers []string
	// tries are the files that a matcher file tries, and fallback is the last of them.
	tries, fallback string
	// fills: a matcher puts the original target into placeholders.
	fills    bool
	handlers []step
}

// step is one handler of a route.
type step struct {
	module string
	// about is what messages name the handler by, beside its module.
	about string
	// uri is what a rewrite writes; names is the text by which the handler names what
	// it serves or has served.
	uri, names string
	// fills: the handler puts the original target into placeholders.
	fills bool
	// routes are inside the handler, errors are for what fails in those.
	routes, errors []route
	// named is the route that the handler invokes.
	named string
	// passThru: what the handler does not find goes on.
	passThru bool
	// made is the module itself, where Caddy has made it; raw is what it will be
	// made of, where it is a clerk_auth.
	made caddyhttp.MiddlewareHandler
	raw  json.RawMessage
}

// routesOf reads a list of routes.
func routesOf(list caddyhttp.RouteList) []route {
	routes := make([]route, len(list))
	for i := range list {
		from, r := &list[i], &routes[i]
		r.group, r.terminal = from.Group, from.Terminal
		r.readMatchers(from)
		for _, raw := range from.HandlersRaw {
			r.handlers = append(r.handlers, stepOf(raw))
		}
		if len(from.HandlersRaw) == 0 {
			for _, handler := range from.Handlers {
				r.handlers = append(r.handlers, madeStep(handler))
			}
		}
	}
	return routes
}

func (r *route) readMatchers(from *caddyhttp.Route) {
	for _, set := range from.MatcherSetsRaw {
		r.readRaw(set)
	}
	if len(from.MatcherSetsRaw) == 0 {
		r.readMade(from.MatcherSets)
	}
}

func (r *route) readRaw(set caddy.ModuleMap) {
	for name, raw := range set {
		r.matchers = append(r.matchers, name)
		r.fills = r.fills || fills(name, string(raw))
		switch name {
		case "not":
			var sets []caddy.ModuleMap
			if json.Unmarshal(raw, &sets) == nil {
				for _, inner := range sets {
					r.readRaw(inner)
				}
			}
		case "host":
			var hosts []string
			if json.Unmarshal(raw, &hosts) == nil {
				r.hosts = append(r.hosts, hosts...)
			}
		case "file":
			r.readFile(raw)
		}
	}
}

func (r *route) readMade(sets caddyhttp.MatcherSets) {
	for _, set := range sets {
		for _, matcher := range set {
			name := caddy.GetModuleName(matcher)
			r.matchers = append(r.matchers, name)
			switch m := matcher.(type) {
			case *caddyhttp.MatchNot:
				r.readMade(m.MatcherSets)
			case caddyhttp.MatchNot:
				r.readMade(m.MatcherSets)
			case *caddyhttp.MatchHost:
				r.hosts = append(r.hosts, *m...)
			case caddyhttp.MatchHost:
				r.hosts = append(r.hosts, m...)
			default:
				raw, err := json.Marshal(matcher)
				if err != nil {
					continue // not one that tells
				}
				r.fills = r.fills || fills(name, string(raw))
				if name == "file" {
					r.readFile(raw)
				}
			}
		}
	}
}

// readFile reads which file a matcher `file` falls back to.
func (r *route) readFile(raw json.RawMessage) {
	var file struct {
		TryFiles []string `json:"try_files"`
	}
	if json.Unmarshal(raw, &file) != nil {
		return
	}
	r.tries = strings.Join(file.TryFiles, " ")
	if len(file.TryFiles) < 2 {
		return
	}
	if last := file.TryFiles[len(file.TryFiles)-1]; !strings.HasPrefix(last, "=") && !strings.Contains(last, "{") {
		r.fallback = last
	}
}

// stepOf reads a handler that is still JSON.
func stepOf(raw json.RawMessage) step {
	var s step
	read(raw, &struct {
		Handler *string `json:"handler"`
	}{&s.module})
	s.readFields(raw)
	return s
}

// madeStep reads a handler that Caddy has made.
func madeStep(handler caddyhttp.MiddlewareHandler) step {
	s := step{module: caddy.GetModuleName(handler), made: handler}
	switch subroute, ok := handler.(*caddyhttp.Subroute); {
	case ok:
		s.routes = routesOf(subroute.Routes)
		if subroute.Errors != nil {
			s.errors = routesOf(subroute.Errors.Routes)
		}
	case s.module == "reverse_proxy", s.module == "intercept", s.module == "rewrite", s.module == "file_server", s.module == "invoke", s.module == "vars", s.module == "map":
		if raw, err := json.Marshal(handler); err == nil {
			s.readFields(raw)
		}
	}
	return s
}

// readFields reads what matters of a handler's configuration.
func (s *step) readFields(raw json.RawMessage) {
	switch s.module {
	case "clerk_auth":
		s.raw = raw
	case "subroute":
		var sub caddyhttp.Subroute
		read(raw, &sub)
		s.routes = routesOf(sub.Routes)
		if sub.Errors != nil {
			s.errors = routesOf(sub.Errors.Routes)
		}
	case "invoke":
		read(raw, &struct {
			Name *string `json:"name"`
		}{&s.named})
	case "rewrite":
		s.names = string(raw)
		read(raw, &struct {
			URI *string `json:"uri"`
		}{&s.uri})
	case "vars":
		var root struct {
			Root json.RawMessage `json:"root"`
		}
		read(raw, &root)
		s.names = string(root.Root)
		s.fills = fills(s.module, string(raw))
	case "map":
		s.fills = fills(s.module, string(raw))
	case "file_server":
		s.names = string(raw)
		read(raw, &struct {
			PassThru *bool `json:"pass_thru"`
		}{&s.passThru})
	case "reverse_proxy", "intercept":
		var proxy struct {
			Upstreams []struct {
				Dial string `json:"dial"`
			} `json:"upstreams"`
			Rewrite        json.RawMessage `json:"rewrite"`
			HandleResponse []struct {
				Routes caddyhttp.RouteList `json:"routes"`
			} `json:"handle_response"`
		}
		read(raw, &proxy)
		s.names = string(proxy.Rewrite)
		if len(proxy.Upstreams) > 0 {
			s.about = " to " + proxy.Upstreams[0].Dial
		}
		for _, response := range proxy.HandleResponse {
			s.routes = append(s.routes, routesOf(response.Routes)...)
		}
	}
}

// read reads what it can of JSON that Caddy itself will judge.
func read(raw json.RawMessage, into any) { _ = json.Unmarshal(raw, into) }

// gates lists the clerk_auth handlers inside of routes that Caddy has made.
func gates(routes []route) []*Handler {
	var found []*Handler
	for _, r := range routes {
		for _, s := range r.handlers {
			if gate, ok := s.made.(*Handler); ok {
				found = append(found, gate)
			}
			found = append(append(found, gates(s.routes)...), gates(s.errors)...)
		}
	}
	return found
}

// contains reports whether some handler inside of the routes is one of the
// modules.
func contains(routes []route, is func(module string) bool) bool {
	for _, r := range routes {
		for _, s := range r.handlers {
			if is(s.module) || contains(s.routes, is) || contains(s.errors, is) {
				return true
			}
		}
	}
	return false
}

func isGate(module string) bool { return module == "clerk_auth" }

// sitesOf splits the routes of a server into those that requests of one site go
// through. Where all routes that do anything are final, as Caddy makes them of a
// Caddyfile with several sites, each is a site of its own; unless it is for part of
// one alone, such as a path: then so are those for the rest of it.
func sitesOf(routes []route) [][]route {
	if !separate(routes) {
		return [][]route{routes}
	}
	sites := make([][]route, 0, len(routes))
	for _, r := range routes {
		if !r.terminal {
			continue
		}
		same := func(site []route) bool {
			return slices.ContainsFunc(site, func(before route) bool { return before.isPart() && samePart(&before, &r) })
		}
		if i := slices.IndexFunc(sites, same); i >= 0 {
			sites[i] = append(sites[i], r)
		} else {
			sites = append(sites, []route{r})
		}
	}
	return sites
}

// separate reports whether all routes that do anything are final.
func separate(routes []route) bool {
	return !slices.ContainsFunc(routes, func(r route) bool {
		return !r.terminal && contains([]route{r}, func(module string) bool { return module != "static_response" && module != "subroute" })
	})
}

// samePart reports whether two final routes may be for one site.
func samePart(a, b *route) bool {
	return (a.isPart() || b.isPart()) && sameHosts(a.hosts, b.hosts)
}

// isPart reports whether a route is for some requests to its hosts only.
func (r *route) isPart() bool {
	return slices.ContainsFunc(r.matchers, func(name string) bool { return name != "host" })
}
