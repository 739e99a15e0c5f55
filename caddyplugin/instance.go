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

// instanceConfig returns the configuration of a handler beside clerk_auth, with Caddy's
// placeholders replaced. Settings that it does not have come from the clerk_auth of the
// same site, so that both accept the same tokens, trust the same proxies and know the
// same revocations; or else from the app.
func instanceConfig(ctx caddy.Context, own setup.Config, at places) (*setup.Config, error) {
	document, err := (&Handler{Config: own, Places: at}).document(ctx)
	if err != nil {
		return nil, err
	}
	gates, err := siteConfigs(ctx)
	if err != nil {
		return nil, err
	}
	first := true
	for _, gate := range gates {
		if own.Clerk.PublishableKey != "" && gate.Clerk.PublishableKey != document.Clerk.PublishableKey {
			continue // of another instance
		}
		clerk, err := expand(setup.Config{Clerk: fillIn(own.Clerk, gate.Clerk)})
		switch {
		case err != nil:
			return nil, err
		case !first && !reflect.DeepEqual(clerk.Clerk, document.Clerk):
			return nil, errors.New("the clerk_auth handlers of this site configure the instance differently: write authorized_parties and the keys here as well")
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

// fillIn returns a clerk section whose unset fields are filled in from another.
func fillIn(own, rest session.Config) session.Config {
	into, from := reflect.ValueOf(&own).Elem(), reflect.ValueOf(rest)
	for i := range into.NumField() {
		if into.Field(i).IsZero() {
			into.Field(i).Set(from.Field(i))
		}
	}
	return own
}

// siteConfigs returns the configurations of the clerk_auth handlers of the site that is
// being provisioned.
func siteConfigs(ctx caddy.Context) ([]*setup.Config, error) {
	app, server, err := appOf(ctx)
	if app == nil {
		return nil, err
	}
	trustProxiesStrictly(server)
	var documents []*setup.Config
	for _, s := range gateSteps(currentSite(server)) {
		gate, ok := s.handler.(*Handler)
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

// currentSite returns the routes of the site that Caddy is provisioning: the first of
// the server's routes that is not provisioned yet.
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

// gatePlace returns the Caddyfile position of the clerk_auth of a site, for messages:
// Caddy knows that of no other handler.
func gatePlace(site []route, named map[string][]route) string {
	steps := gateSteps(site)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		steps = append(steps, gateSteps(named[name])...)
	}
	for _, s := range steps {
		gate, ok := s.handler.(*Handler)
		if !ok {
			gate = new(Handler)
			unmarshal(s.raw, gate)
		}
		if at := gate.Places[""].At; at != "" {
			return " (clerk_auth at " + at + ")"
		}
	}
	return ""
}
