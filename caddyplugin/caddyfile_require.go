package caddyplugin

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// requirementSubdirectives are those of a requirement, in rules and matchers. All that
// are present must be met.
func requirementSubdirectives(r *policy.Requirement) subdirectives {
	return subdirectives{
		"role":         valueList(&r.Role),
		"permission":   valueList(&r.Permission),
		"feature":      valueList(&r.Feature),
		"plan":         valueList(&r.Plan),
		"user":         valueList(&r.User),
		"organization": repeated(func(d *caddyfile.Dispenser) error { return readOrganization(d, r) }),
		"claim":        repeated(func(d *caddyfile.Dispenser) error { return readClaim(d, r) }).withKey("claims"),
		"actor":        singleValue(&r.Actor),
		"expression":   singleValue(&r.Expression),
		"any":          single(func(d *caddyfile.Dispenser) error { return readEach(d, "any", &r.Any) }),
		"all":          single(func(d *caddyfile.Dispenser) error { return readEach(d, "all", &r.All) }),
		"not":          single(func(d *caddyfile.Dispenser) error { return readNot(d, r) }),
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
	return readOneOfTwo(d, args, "id", &r.Organization.ID, "slug", &r.Organization.Slug)
}

// readClaim reads: claim <path> <values...>. Numbers and booleans without quotes are
// read as numbers and booleans.
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

// readEach reads: any|all { <requirement>... }, where each line is one requirement.
func readEach(d *caddyfile.Dispenser, of string, into *[]policy.Requirement) error {
	if err := noMoreArguments(d); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var r policy.Requirement
		if err := requirementSubdirectives(&r).line(d, of, map[string]bool{}); err != nil {
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
	w := requirementSubdirectives(r.Not)
	if d.NextArg() {
		return w.line(d, "not", map[string]bool{})
	}
	return w.block(d, "not")
}
