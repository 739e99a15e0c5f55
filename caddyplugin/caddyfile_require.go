package caddyplugin

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// requirementWords are the words of a requirement, in rules and matchers. All
// that are written must be met.
func requirementWords(r *policy.Requirement) words {
	return words{
		"role":         list(&r.Role),
		"permission":   list(&r.Permission),
		"feature":      list(&r.Feature),
		"plan":         list(&r.Plan),
		"user":         list(&r.User),
		"organization": often(func(d *caddyfile.Dispenser) error { return readOrganization(d, r) }),
		"claim":        often(func(d *caddyfile.Dispenser) error { return readClaim(d, r) }).as("claims"),
		"actor":        text(&r.Actor),
		"expression":   text(&r.Expression),
		"any":          once(func(d *caddyfile.Dispenser) error { return readEach(d, "any", &r.Any) }),
		"all":          once(func(d *caddyfile.Dispenser) error { return readEach(d, "all", &r.All) }),
		"not":          once(func(d *caddyfile.Dispenser) error { return readNot(d, r) }),
	}
}

// readOrganization reads: organization id|slug <values...>
func readOrganization(d *caddyfile.Dispenser, r *policy.Requirement) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if r.Organization == nil {
		r.Organization = new(policy.Organization)
	}
	return oneOfTwo(d, args, "id", &r.Organization.ID, "slug", &r.Organization.Slug)
}

// readClaim reads: claim <path> <values...>. Numbers and booleans without
// quotes are such.
func readClaim(d *caddyfile.Dispenser, r *policy.Requirement) error {
	if !d.NextArg() || d.Val() == "" {
		return d.ArgErr()
	}
	path := d.Val()
	if _, again := r.Claims[path]; again {
		return d.Errf("claim %s is already specified", path)
	}
	var values []any
	for d.NextArg() {
		values = append(values, d.ScalarVal())
	}
	if len(values) == 0 {
		return d.ArgErr()
	}
	if r.Claims == nil {
		r.Claims = map[string]any{}
	}
	r.Claims[path] = values
	if len(values) == 1 {
		r.Claims[path] = values[0]
	}
	return nil
}

// readEach reads: any|all { <requirement>... }, where each line is a requirement
// of its own.
func readEach(d *caddyfile.Dispenser, of string, into *[]policy.Requirement) error {
	if err := noMore(d); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var r policy.Requirement
		if err := requirementWords(&r).line(d, of, map[string]bool{}); err != nil {
			return err
		}
		*into = append(*into, r)
	}
	if len(*into) == 0 {
		return d.Errf("%s names no requirement", of)
	}
	return nil
}

// readNot reads: not <requirement>, or not { <requirements...> }, which is met
// when not all of them are.
func readNot(d *caddyfile.Dispenser, r *policy.Requirement) error {
	r.Not = new(policy.Requirement)
	w := requirementWords(r.Not)
	if d.NextArg() {
		return w.line(d, "not", map[string]bool{})
	}
	return w.block(d, "not")
}
