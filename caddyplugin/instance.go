package caddyplugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/session"
)

// instance is the document of a handler beside clerk_auth, with Caddy's
// placeholders replaced. What it leaves out comes from the clerk_auth of the same
// site, so that both take the same tokens from the same proxies and know of the
// same that has ended; and from the app, where there is one.
func instance(ctx caddy.Context, own setup.Config, at places) (*setup.Config, error) {
	document, err := (&Handler{Config: own, Places: at}).document(ctx)
	if err != nil {
		return nil, err
	}
	gates, err := neighbours(ctx)
	if err != nil {
		return nil, err
	}
	first := true
	for _, gate := range gates {
		if own.Clerk.PublishableKey != "" && gate.Clerk.PublishableKey != document.Clerk.PublishableKey {
			continue // of another instance
		}
		clerk, err := expand(setup.Config{Clerk: with(own.Clerk, gate.Clerk)})
		switch {
		case err != nil:
			return nil, err
		case !first && !reflect.DeepEqual(clerk.Clerk, document.Clerk):
			return nil, errors.New("the clerk_auth handlers of this site differ in what they say of the instance: say here, too, which authorized_parties and keys count")
		case first:
			document.Clerk, document.TrustedProxies, document.IgnoreWarnings, first = clerk.Clerk, gate.TrustedProxies, gate.IgnoreWarnings, false
			if reflect.ValueOf(own.Redis).IsZero() {
				document.Redis = gate.Redis
			}
			if own.Revocation == (setup.Revocation{}) {
				document.Revocation = gate.Revocation
			}
		}
	}
	return document, nil
}

// with is a clerk section with what it leaves out.
func with(own, rest session.Config) session.Config {
	into, from := reflect.ValueOf(&own).Elem(), reflect.ValueOf(rest)
	for i := range into.NumField() {
		if into.Field(i).IsZero() {
			into.Field(i).Set(from.Field(i))
		}
	}
	return own
}

// neighbours are the documents of the clerk_auth handlers of the site that is
// being provisioned.
func neighbours(ctx caddy.Context) ([]*setup.Config, error) {
	app, server, err := appOf(ctx)
	if app == nil {
		return nil, err
	}
	readFromTheRight(server)
	var documents []*setup.Config
	for _, s := range gateSteps(currentSite(server)) {
		gate, ok := s.made.(*Handler)
		if !ok {
			gate = new(Handler)
			if err := json.Unmarshal(s.raw, gate); err != nil {
				return nil, fmt.Errorf("reading the site's clerk_auth: %w", err)
			}
		}
		document, err := gate.document(ctx)
		if err != nil {
			return nil, placedError{gate.Places.locate(err)}
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// currentSite are the routes of the site that Caddy is making handlers of: of its
// routes, the first that has not been made.
func currentSite(server *caddyhttp.Server) []route {
	routes := routesOf(server.Routes)
	sites := sitesOf(routes)
	if len(sites) == 1 && len(sites[0]) == len(routes) {
		return routes
	}
	for i := range server.Routes {
		if len(server.Routes[i].HandlersRaw) > 0 {
			return routes[i : i+1]
		}
	}
	return routes
}

// gateSteps are the clerk_auth handlers inside of routes.
func gateSteps(routes []route) []step {
	var found []step
	for _, r := range routes {
		for _, s := range r.handlers {
			if isGate(s.module) {
				found = append(found, s)
			}
			found = append(append(found, gateSteps(s.routes)...), gateSteps(s.errors)...)
		}
	}
	return found
}

// gatePlace says where in the Caddyfile the clerk_auth of a site stands: Caddy tells
// of no other handler where that is.
func gatePlace(site []route, named map[string][]route) string {
	steps := gateSteps(site)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		steps = append(steps, gateSteps(named[name])...)
	}
	for _, s := range steps {
		gate, ok := s.made.(*Handler)
		if !ok {
			gate = new(Handler)
			read(s.raw, gate)
		}
		if at := gate.Places[""].At; at != "" {
			return " (clerk_auth at " + at + ")"
		}
	}
	return ""
}
