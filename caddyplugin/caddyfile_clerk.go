package caddyplugin

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// clerkSubdirectives are those of the document's clerk section, which clerk_auth
// and the global option clerk share.
func clerkSubdirectives(c *session.Config) subdirectives {
	w := subdirectives{
		"publishable_key":     singleValue(&c.PublishableKey),
		"secret_key":          singleValue(&c.SecretKey),
		"jwt_key":             singleValue(&c.JWTKey),
		"authorized_parties":  valueList(&c.AuthorizedParties),
		"audience":            valueList(&c.Audience),
		"clock_skew":          single(func(d *caddyfile.Dispenser) error { return readSkew(d, c) }),
		"sign_in_url":         singleValue(&c.SignInURL),
		"sign_up_url":         singleValue(&c.SignUpURL),
		"webhook_secret":      singleValue(&c.WebhookSecret),
		"proxy_url":           singleValue(&c.ProxyURL),
		"domain":              singleValue(&c.Domain),
		"satellite":           boolFlag(&c.Satellite),
		"satellite_auto_sync": boolFlag(&c.SatelliteAutoSync),
		"organization_sync":   repeated(func(d *caddyfile.Dispenser) error { return readOrganizationSync(d, c) }),
		"machine_secret_key":  singleValue(&c.MachineSecretKey),
		"api_url":             singleValue(&c.APIURL),
		"issuer":              valueList(&c.Issuer),
		"reference_compat":    boolFlag(&c.ReferenceCompat),
	}
	return w.under("clerk")
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
	return readOneOfTwo(d, args, "organization", &c.OrganizationSync.Organization, "personal", &c.OrganizationSync.Personal)
}

// readOneOfTwo reads: <name>|<otherName> <values...>, into the target of that name.
func readOneOfTwo(d *caddyfile.Dispenser, args []string, name string, into *policy.StringList, otherName string, otherInto *policy.StringList) error {
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
