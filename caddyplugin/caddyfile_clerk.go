package caddyplugin

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// clerkWords are the words of the document's clerk section, which clerk_auth
// and the global option clerk share.
func clerkWords(c *session.Config) words {
	w := words{
		"publishable_key":     text(&c.PublishableKey),
		"secret_key":          text(&c.SecretKey),
		"jwt_key":             text(&c.JWTKey),
		"authorized_parties":  list(&c.AuthorizedParties),
		"audience":            list(&c.Audience),
		"clock_skew":          once(func(d *caddyfile.Dispenser) error { return readSkew(d, c) }),
		"sign_in_url":         text(&c.SignInURL),
		"sign_up_url":         text(&c.SignUpURL),
		"webhook_secret":      text(&c.WebhookSecret),
		"proxy_url":           text(&c.ProxyURL),
		"domain":              text(&c.Domain),
		"satellite":           bare(&c.Satellite),
		"satellite_auto_sync": bare(&c.SatelliteAutoSync),
		"organization_sync":   often(func(d *caddyfile.Dispenser) error { return readOrganizationSync(d, c) }),
		"machine_secret_key":  text(&c.MachineSecretKey),
		"api_url":             text(&c.APIURL),
		"issuer":              list(&c.Issuer),
		"reference_compat":    bare(&c.ReferenceCompat),
	}
	return w.below("clerk")
}

// readSkew reads: clock_skew <duration>
func readSkew(d *caddyfile.Dispenser, c *session.Config) error {
	value, err := argument(d)
	if err != nil {
		return err
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return d.WrapErr(err)
	}
	c.ClockSkew = new(session.Skew)
	if err := c.ClockSkew.UnmarshalJSON(quoted); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// readOrganizationSync reads: organization_sync organization|personal <patterns...>
func readOrganizationSync(d *caddyfile.Dispenser, c *session.Config) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if c.OrganizationSync == nil {
		c.OrganizationSync = new(session.OrganizationSync)
	}
	return oneOfTwo(d, args, "organization", &c.OrganizationSync.Organization, "personal", &c.OrganizationSync.Personal)
}

// oneOfTwo files values under the first of args, which is one of two names.
func oneOfTwo(d *caddyfile.Dispenser, args []string, name string, into *policy.StringList, otherName string, otherInto *policy.StringList) error {
	switch args[0] {
	case name:
	case otherName:
		into = otherInto
	default:
		return d.Errf("expected %s or %s, got %q", name, otherName, args[0])
	}
	switch {
	case len(args) == 1:
		return d.ArgErr()
	case *into != nil:
		return d.Errf("%s is already specified", args[0])
	}
	*into = args[1:]
	return nil
}
