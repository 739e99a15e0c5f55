package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/internal/target"
)

// truth is the outcome of a condition. What cannot be decided is neither met nor
// unmet, so that "not" does not turn a failure into a pass. The zero value
// denies.
type truth uint8

const (
	undecided truth = iota
	unmet
	met
)

func truthOf(ok bool) truth {
	if ok {
		return met
	}
	return unmet
}

// subject is what conditions are judged on.
type subject struct {
	ctx       context.Context
	principal *Principal
	request   *Request
	target    *target.Target
	params    pathpattern.Params
	client    ClientAddr
	rule      *rule
	now       time.Time
}

// condition is one compiled requirement. It returns the reason that stands for
// it where it is not met, and the cause where it cannot be decided.
type condition func(s *subject) (truth, Reason, error)

// conjunction is a compiled Requirement: all of its conditions must be met.
type conjunction []condition

// check judges every condition, so that one that cannot be decided is never hidden
// by another that is unmet. The reason is that of the first that is not met.
func (c conjunction) check(s *subject) (truth, Reason, error) {
	result, reason, cause := met, Reason(""), error(nil)
	for _, cond := range c {
		switch t, r, err := cond(s); {
		case t == met:
		case result == met, t == undecided && result == unmet:
			result, reason, cause = t, r, err
		}
	}
	return result, reason, cause
}

// requirementCompiler turns a Requirement into conditions and collects what is
// wrong with it.
type requirementCompiler struct {
	// paramNames are the path parameters that every pattern of the rule has.
	paramNames []string
	usesParams bool
	// usesRequest: an expression reads the request.
	usesRequest bool
	errs        []error
	linter
}

func (c *requirementCompiler) errorf(path, suggestion, format string, args ...any) {
	c.errs = append(c.errs, &ConfigError{Path: path, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func (c *requirementCompiler) compile(path string, r *Requirement) conjunction {
	var all conjunction
	add := func(cond condition) { all = append(all, cond) }
	c.checkValues(path+".user", r.User)
	c.checkValues(path+".role", r.Role)
	c.checkValues(path+".permission", r.Permission)
	c.checkValues(path+".feature", r.Feature)
	c.checkValues(path+".plan", r.Plan)
	if len(r.User) > 0 {
		values := c.references(path+".user", r.User)
		add(func(s *subject) (truth, Reason, error) {
			return truthOf(values.contain(s, s.principal.UserID)), ReasonUserNotAllowed, nil
		})
	}
	if r.Organization != nil {
		add(c.organization(path+".organization", r.Organization))
	}
	if len(r.Role) > 0 {
		add(c.role(path+".role", r.Role))
	}
	if len(r.Permission) > 0 {
		add(c.permission(path+".permission", r.Permission))
	}
	if len(r.Feature) > 0 {
		add(c.entitlement(path+".feature", r.Feature, ReasonFeatureMissing, func(p *Principal) Entitlements { return p.Features }))
	}
	if len(r.Plan) > 0 {
		add(c.entitlement(path+".plan", r.Plan, ReasonPlanMissing, func(p *Principal) Entitlements { return p.Plans }))
	}
	for _, claim := range sortedKeys(r.Claims) {
		add(c.claim(path, claim, r.Claims[claim]))
	}
	if r.Actor != "" {
		add(c.actor(path+".actor", r.Actor))
	}
	if r.Expression != "" {
		add(c.expression(path+".expression", r.Expression))
	}
	for i := range r.All {
		add(c.compile(fmt.Sprintf("%s.all[%d]", path, i), &r.All[i]).check)
	}
	if len(r.Any) > 0 {
		add(c.anyOf(path+".any", r.Any))
	}
	if r.Not != nil {
		add(negate(c.compile(path+".not", r.Not)))
	}
	if len(all) == 0 {
		c.errorf(path, "remove it, or name a role, permission, ...", "the requirement is empty")
	}
	return all
}

func (c *requirementCompiler) role(path string, roles StringList) condition {
	bare := make([]string, len(roles))
	for i, role := range roles {
		if bare[i] = bareKey(role); bare[i] == "" {
			c.errorf(path, "write a role such as org:admin", "%q is not a role", role)
		} else if bare[i] == role {
			c.warn(WarnRoleForm, path, "write it as Clerk has it, such as org:admin", "the role %q has no prefix; it is read with the prefix org:", role)
		}
	}
	return func(s *subject) (truth, Reason, error) {
		for _, role := range bare {
			if hasRole(s.principal, role) {
				return met, "", nil
			}
		}
		return unmet, ReasonRoleMissing, nil
	}
}

func (c *requirementCompiler) permission(path string, permissions StringList) condition {
	keys := make([]string, len(permissions))
	for i, permission := range permissions {
		bare := bareKey(permission)
		keys[i] = "org:" + bare
		switch {
		case bare == "":
			c.errorf(path, "write a permission such as org:reports:read", "%q is not a permission", permission)
		case strings.HasPrefix(bare, "sys_"):
			c.errorf(path, "require a role instead", "system permissions such as %q are not in session tokens, so this can never be met", permission)
		case !isPermission(bare):
			c.warn(WarnPermissionForm, path, "write a permission such as org:reports:read", "%q is not a permission of Clerk (org:<feature>:<permission>), so nobody has it", permission)
		}
	}
	return func(s *subject) (truth, Reason, error) {
		for _, key := range keys {
			if hasPermission(s.principal, key) {
				return met, "", nil
			}
		}
		return unmet, ReasonPermissionMissing, nil
	}
}

// isPermission reports whether a permission without its prefix has the form of
// Clerk's: a feature and what may be done with it.
func isPermission(bare string) bool {
	feature, permission, ok := strings.Cut(bare, ":")
	return ok && feature != "" && permission != "" && !strings.Contains(permission, ":")
}

func (c *requirementCompiler) entitlement(path string, asked StringList, missing Reason, held func(*Principal) Entitlements) condition {
	parsed := make([]entitlement, len(asked))
	for i, text := range asked {
		var ok bool
		if parsed[i], ok = parseEntitlement(text); !ok {
			c.errorf(path, `write docs, org:docs or user:docs`, "%q has a scope that Clerk does not know", text)
		}
	}
	return func(s *subject) (truth, Reason, error) {
		entitlements := held(s.principal)
		if entitlements.Malformed {
			return undecided, ReasonClaimsUndecidable, nil
		}
		return truthOf(slices.ContainsFunc(parsed, entitlements.has)), missing, nil
	}
}

func (c *requirementCompiler) organization(path string, o *Organization) condition {
	if len(o.ID) == 0 && len(o.Slug) == 0 {
		c.errorf(path, "write slug: acme, or slug: \":slug\" for a path parameter", "the organization has neither id nor slug")
	}
	c.checkValues(path+".id", o.ID)
	c.checkValues(path+".slug", o.Slug)
	ids, slugs := c.references(path+".id", o.ID), c.references(path+".slug", o.Slug)
	return func(s *subject) (truth, Reason, error) {
		ok := s.principal.OrgID != "" &&
			(len(ids) == 0 || ids.contain(s, s.principal.OrgID)) &&
			(len(slugs) == 0 || slugs.contain(s, s.principal.OrgSlug))
		return truthOf(ok), ReasonOrganizationRequired, nil
	}
}

func (c *requirementCompiler) actor(path, want string) condition {
	switch want {
	case "forbidden":
		return func(s *subject) (truth, Reason, error) {
			_, impersonated := s.principal.Claims["act"]
			return truthOf(s.principal.Actor == "" && !impersonated), ReasonActorForbidden, nil
		}
	case "required":
		return func(s *subject) (truth, Reason, error) {
			return truthOf(s.principal.Actor != ""), ReasonActorRequired, nil
		}
	}
	c.errorf(path, didYouMean(want, "forbidden", "required"), "unknown value %q", want)
	return func(*subject) (truth, Reason, error) { return undecided, ReasonActorForbidden, nil }
}

func (c *requirementCompiler) claim(path, claim string, want any) condition {
	steps, err := claimSteps(claim)
	if err != nil {
		c.errs = append(c.errs, atPath(path+".claims", err))
	}
	accepted, ok := want.([]any)
	if !ok {
		accepted = []any{want}
	}
	if len(accepted) == 0 {
		c.errorf(path+".claims", "write path.to.claim: value", "claim %q asks for nothing", claim)
	}
	c.checkClaimValues(path+".claims", claim, accepted)
	for _, value := range accepted {
		if !plainValue(value) {
			c.errorf(path+".claims", "write a string, a number, a boolean, or a list of them", "claim %q cannot be compared with this value", claim)
		}
	}
	return func(s *subject) (truth, Reason, error) {
		held, ok := claimAt(s.principal.Claims, steps)
		if !ok {
			return unmet, ReasonClaimMismatch, nil
		}
		return truthOf(claimHolds(held, accepted)), ReasonClaimMismatch, nil
	}
}

// claimHolds reports whether a claim is one of the accepted values, or a list
// that has one of them.
func claimHolds(held any, accepted []any) bool {
	if list, ok := held.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return plainValue(item) && claimHolds(item, accepted) })
	}
	return plainValue(held) && slices.ContainsFunc(accepted, func(value any) bool { return sameValue(held, value) })
}

func plainValue(v any) bool {
	switch v.(type) {
	case string, bool, float64, int, int64:
		return true
	}
	return false
}

func sameValue(a, b any) bool { return asFloat(a) == asFloat(b) }

// asFloat makes numbers comparable, whichever decoder they came from.
func asFloat(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return v
}

func (c *requirementCompiler) anyOf(path string, options []Requirement) condition {
	compiled := make([]conjunction, len(options))
	for i := range options {
		compiled[i] = c.compile(fmt.Sprintf("%s[%d]", path, i), &options[i])
	}
	return func(s *subject) (truth, Reason, error) {
		result, reason, cause := unmet, ReasonRequirementAny, error(nil)
		for _, option := range compiled {
			switch t, r, err := option.check(s); t {
			case met:
				return met, "", nil
			case undecided:
				result, reason, cause = undecided, r, err
			}
		}
		return result, reason, cause
	}
}

func negate(c conjunction) condition {
	return func(s *subject) (truth, Reason, error) {
		switch t, reason, err := c.check(s); t {
		case unmet:
			return met, "", nil
		case met:
			return unmet, ReasonRequirementNot, nil
		default:
			return undecided, reason, err
		}
	}
}

// references are values of which some are taken from path parameters.
type references []reference

type reference struct {
	value string
	param bool
}

func (c *requirementCompiler) references(path string, list StringList) references {
	refs := make(references, len(list))
	for i, text := range list {
		name, param := strings.CutPrefix(text, ":")
		refs[i] = reference{name, param}
		if !param {
			continue
		}
		c.usesParams = true
		if !slices.Contains(c.paramNames, name) {
			c.errorf(path, "every path of the rule must have it, as in /orgs/:"+name, "the rule's paths have no parameter %q", text)
		}
	}
	return refs
}

func (refs references) contain(s *subject, held string) bool {
	return held != "" && slices.ContainsFunc(refs, func(r reference) bool {
		if !r.param {
			return r.value == held
		}
		value, ok := s.params.Get(r.value)
		return ok && value == held
	})
}
