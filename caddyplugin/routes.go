package caddyplugin

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// route is the part of one of Caddy's routes that the checks need. While Caddy
// provisions a server, some of its routes are modules and the others still JSON.
type route struct {
	group    string
	terminal bool
	hosts    []string
	// matchers are the names of all matchers, those inside of `not` as well; empty
	// where the route matches every request.
	matchers []string
	// tries are the files that a matcher file tries, and fallback is the last of them.
	tries, fallback string
	// storesTarget: a matcher stores the original target in placeholders.
	storesTarget bool
	handlers     []step
}

// step is one handler of a route.
type step struct {
	module string
	// about identifies the handler in messages, after its module: " to host:port".
	about string
	// uri is the new URI of a rewrite; names is the text from which the handler makes
	// the path that it serves or rewrites to.
	uri, names string
	// storesTarget: the handler stores the original target in placeholders.
	storesTarget bool
	// routes are inside the handler, errors are their error routes.
	routes, errors []route
	// named is the route that the handler invokes.
	named string
	// passThru: the handler passes on requests for files that do not exist.
	passThru bool
	// handler is the module itself, where Caddy has provisioned it; raw is the JSON of a
	// clerk_auth.
	handler caddyhttp.MiddlewareHandler
	raw     json.RawMessage
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
				r.handlers = append(r.handlers, provisionedStep(handler))
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
		r.readProvisioned(from.MatcherSets)
	}
}

func (r *route) readRaw(set caddy.ModuleMap) {
	for name, raw := range set {
		r.matchers = append(r.matchers, name)
		r.storesTarget = r.storesTarget || storesTarget(name, string(raw))
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

func (r *route) readProvisioned(sets caddyhttp.MatcherSets) {
	for _, set := range sets {
		for _, matcher := range set {
			name := caddy.GetModuleName(matcher)
			r.matchers = append(r.matchers, name)
			switch m := matcher.(type) {
			case *caddyhttp.MatchNot:
				r.readProvisioned(m.MatcherSets)
			case caddyhttp.MatchNot:
				r.readProvisioned(m.MatcherSets)
			case *caddyhttp.MatchHost:
				r.hosts = append(r.hosts, *m...)
			case caddyhttp.MatchHost:
				r.hosts = append(r.hosts, m...)
			default:
				raw, err := json.Marshal(matcher)
				if err != nil {
					continue // it has no JSON to look at
				}
				r.storesTarget = r.storesTarget || storesTarget(name, string(raw))
				if name == "file" {
					r.readFile(raw)
				}
			}
		}
	}
}

// readFile reads the files that a matcher `file` tries, and its fallback.
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
	unmarshal(raw, &struct {
		Handler *string `json:"handler"`
	}{&s.module})
	s.readFields(raw)
	return s
}

// provisionedStep reads a handler that Caddy has provisioned.
func provisionedStep(handler caddyhttp.MiddlewareHandler) step {
	s := step{module: caddy.GetModuleName(handler), handler: handler}
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

// readFields reads the fields of a handler's JSON that the checks need.
func (s *step) readFields(raw json.RawMessage) {
	switch s.module {
	case "clerk_auth":
		s.raw = raw
	case "subroute":
		var sub caddyhttp.Subroute
		unmarshal(raw, &sub)
		s.routes = routesOf(sub.Routes)
		if sub.Errors != nil {
			s.errors = routesOf(sub.Errors.Routes)
		}
	case "invoke":
		unmarshal(raw, &struct {
			Name *string `json:"name"`
		}{&s.named})
	case "rewrite":
		s.names = string(raw)
		unmarshal(raw, &struct {
			URI *string `json:"uri"`
		}{&s.uri})
	case "vars":
		var root struct {
			Root json.RawMessage `json:"root"`
		}
		unmarshal(raw, &root)
		s.names = string(root.Root)
		s.storesTarget = storesTarget(s.module, string(raw))
	case "map":
		s.storesTarget = storesTarget(s.module, string(raw))
	case "file_server":
		s.names = string(raw)
		unmarshal(raw, &struct {
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
		unmarshal(raw, &proxy)
		s.names = string(proxy.Rewrite)
		if len(proxy.Upstreams) > 0 {
			s.about = " to " + proxy.Upstreams[0].Dial
		}
		for _, response := range proxy.HandleResponse {
			s.routes = append(s.routes, routesOf(response.Routes)...)
		}
	}
}

// unmarshal decodes JSON as far as it can: Caddy itself reports its errors.
func unmarshal(raw json.RawMessage, into any) { _ = json.Unmarshal(raw, into) }

// provisionedGates lists the clerk_auth handlers that Caddy has provisioned inside of
// routes.
func provisionedGates(routes []route) []*Handler {
	var found []*Handler
	for _, r := range routes {
		for _, s := range r.handlers {
			if gate, ok := s.handler.(*Handler); ok {
				found = append(found, gate)
			}
			found = append(append(found, provisionedGates(s.routes)...), provisionedGates(s.errors)...)
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

// sitesOf groups the routes of a server by site. Where all routes that do anything are
// terminal, as Caddy adapts a Caddyfile with several sites, each route is a site; but a
// route for part of a site, such as a path, is grouped with those for the rest of it.
func sitesOf(routes []route) [][]route {
	if !allTerminal(routes) {
		return [][]route{routes}
	}
	sites := make([][]route, 0, len(routes))
	for _, r := range routes {
		if !r.terminal {
			continue
		}
		same := func(site []route) bool {
			return slices.ContainsFunc(site, func(before route) bool { return before.isPartial() && sameSite(&before, &r) })
		}
		if i := slices.IndexFunc(sites, same); i >= 0 {
			sites[i] = append(sites[i], r)
		} else {
			sites = append(sites, []route{r})
		}
	}
	return sites
}

// allTerminal reports whether all routes that do anything are terminal.
func allTerminal(routes []route) bool {
	return !slices.ContainsFunc(routes, func(r route) bool {
		return !r.terminal && contains([]route{r}, func(module string) bool { return module != "static_response" && module != "subroute" })
	})
}

// sameSite reports whether two terminal routes may be for one site.
func sameSite(a, b *route) bool {
	return (a.isPartial() || b.isPartial()) && sameHosts(a.hosts, b.hosts)
}

// isPartial reports whether a route is for some requests to its hosts only.
func (r *route) isPartial() bool {
	return slices.ContainsFunc(r.matchers, func(name string) bool { return name != "host" })
}
