package caddyplugin

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// upstreamToken reads: upstream_token <template> [<header>]
func upstreamToken(into **policy.UpstreamToken) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		args, err := arguments(d)
		switch {
		case err != nil:
			return err
		case len(args) > 2:
			return d.ArgErr()
		}
		*into = &policy.UpstreamToken{Template: args[0]}
		if len(args) == 2 {
			(*into).Header = args[1]
		}
		return nil
	})
}

// assertion reads: assertion { ... }
func (r *reader) assertion(d *caddyfile.Dispenser) error {
	if err := noMoreArguments(d); err != nil {
		return err
	}
	assertion := new(policy.Assertion)
	r.Assertion = assertion
	return r.places.recordPositions(assertionSubdirectives(assertion), "assertion.", "assertion.").block(d, "assertion")
}

func assertionSubdirectives(a *policy.Assertion) subdirectives {
	return subdirectives{
		"header":    singleValue(&a.Header),
		"issuer":    singleValue(&a.Issuer),
		"audience":  valueList(&a.Audience),
		"lifetime":  duration(&a.Lifetime),
		"algorithm": singleValue(&a.Algorithm),
		"key":       singleValue(&a.Key),
	}
}

// onOrOff reads: <subdirective> [on|off]
func onOrOff(into **bool) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		name, value := d.Val(), "on"
		if d.NextArg() {
			value = d.Val()
		}
		if value != "on" && value != "off" {
			return d.Errf("expected %s on or %s off, got %q", name, name, value)
		}
		*into = new(value == "on")
		return noMoreArguments(d)
	})
}
