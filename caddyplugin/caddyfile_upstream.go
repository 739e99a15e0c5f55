package caddyplugin

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// upstreamToken reads: upstream_token <template> [<header>]
func upstreamToken(into **policy.UpstreamToken) word {
	return once(func(d *caddyfile.Dispenser) error {
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
	if err := noMore(d); err != nil {
		return err
	}
	assertion := new(policy.Assertion)
	r.Assertion = assertion
	return r.places.noting(assertionWords(assertion), "assertion.", "assertion.").block(d, "assertion")
}

func assertionWords(a *policy.Assertion) words {
	return words{
		"header":    text(&a.Header),
		"issuer":    text(&a.Issuer),
		"audience":  list(&a.Audience),
		"lifetime":  duration(&a.Lifetime),
		"algorithm": text(&a.Algorithm),
		"key":       text(&a.Key),
	}
}

// onOrOff reads: <word> [on|off]
func onOrOff(into **bool) word {
	return once(func(d *caddyfile.Dispenser) error {
		name, value := d.Val(), "on"
		if d.NextArg() {
			value = d.Val()
		}
		if value != "on" && value != "off" {
			return d.Errf("expected %s on or %s off, got %q", name, name, value)
		}
		*into = new(value == "on")
		return noMore(d)
	})
}
