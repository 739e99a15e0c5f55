package policy

import (
	"math"
	"slices"
	"strings"
	"time"
)

// HasParams are the parameters of Clerk's has(): nil is not checked, all that are set
// must match, and without any the answer is false.
type HasParams struct {
	Role, Permission, Feature, Plan *string
	Reverification                  *Reverification
}

// Has reports whether p satisfies all params, exactly as Clerk's has() does for the
// session of p. It is for handlers that decide more than the policy does; nil has
// nothing.
func Has(p *Principal, params HasParams) bool {
	if p == nil || p.UserID == "" || params == (HasParams{}) {
		return false
	}
	if params.Role != nil && !hasRole(p, bareKey(*params.Role)) {
		return false
	}
	if params.Permission != nil && !hasPermission(p, "org:"+bareKey(*params.Permission)) {
		return false
	}
	if params.Feature != nil && !hasEntitlement(p.Features, *params.Feature) {
		return false
	}
	if params.Plan != nil && !hasEntitlement(p.Plans, *params.Plan) {
		return false
	}
	if params.Reverification != nil {
		v, err := compileReverification(*params.Reverification)
		if err != nil || !v.fresh(p.Factors, 0) {
			return false
		}
	}
	return true
}

// bareKey strips any number of leading "org:" from a role or permission.
func bareKey(key string) string {
	for {
		rest, ok := strings.CutPrefix(key, "org:")
		if !ok {
			return key
		}
		key = rest
	}
}

// hasRole compares a role without its prefix with that of the active
// organization.
func hasRole(p *Principal, bare string) bool {
	return bare != "" && p.OrgID != "" && p.OrgRole != "" && bareKey(p.OrgRole) == bare
}

// hasPermission looks a full permission key up in the active organization's.
func hasPermission(p *Principal, key string) bool {
	return p.OrgID != "" && slices.Contains(p.OrgPermissions, key)
}

// entitlement is an asked feature or plan: a slug, and the scopes it may be
// granted in.
type entitlement struct {
	slug      string
	org, user bool
}

// parseEntitlement reads "docs", "org:docs" or "user:docs". Only the part
// between the first two colons names the entitlement; where it is empty, the
// scope's text does.
func parseEntitlement(asked string) (entitlement, bool) {
	scope, rest, scoped := strings.Cut(asked, ":")
	if !scoped {
		return entitlement{slug: asked, org: true, user: true}, asked != ""
	}
	slug, _, _ := strings.Cut(rest, ":")
	if slug == "" {
		slug = scope
	}
	switch scope {
	case "o", "org", "organization":
		return entitlement{slug: slug, org: true}, true
	case "u", "user":
		return entitlement{slug: slug, user: true}, true
	default:
		return entitlement{}, false
	}
}

func hasEntitlement(held Entitlements, asked string) bool {
	e, ok := parseEntitlement(asked)
	return ok && held.has(e)
}

// verification is a compiled reverification: the level, and the age from which
// a factor is stale, in minutes.
type verification struct {
	level   string
	minutes float64
	preset  string
}

// reverificationPresets are Clerk's.
var reverificationPresets = map[string]verification{
	"strict_mfa": {"multi_factor", 10, "strict_mfa"},
	"strict":     {"second_factor", 10, "strict"},
	"moderate":   {"second_factor", 60, "moderate"},
	"lax":        {"second_factor", 1440, "lax"},
}

var reverificationLevels = []string{"first_factor", "second_factor", "multi_factor"}

func compileReverification(r Reverification) (verification, error) {
	if r.Preset != "" {
		v, ok := reverificationPresets[r.Preset]
		if !ok {
			return v, &ConfigError{Msg: "unknown reverification preset " + quoted(r.Preset), Suggestion: didYouMean(r.Preset, "strict_mfa", "strict", "moderate", "lax")}
		}
		return v, nil
	}
	if !slices.Contains(reverificationLevels, r.Level) {
		return verification{}, &ConfigError{Msg: "unknown reverification level " + quoted(r.Level), Suggestion: didYouMean(r.Level, reverificationLevels...)}
	}
	if r.After <= 0 {
		return verification{}, &ConfigError{Msg: "a reverification level needs a time", Suggestion: `write after: 10m`}
	}
	return verification{level: r.Level, minutes: r.After.Std().Minutes()}, nil
}

// fresh reports whether the factors were verified recently enough. Elapsed is
// how many minutes ago the ages were true. Ages that are not known are stale.
func (v verification) fresh(ages FactorAges, elapsed float64) bool {
	if !ages.Known || v.minutes <= 0 || math.IsNaN(elapsed) {
		return false
	}
	recent := func(age float64) bool { return age >= 0 && age+elapsed < v.minutes }
	first, second := recent(ages.First), recent(ages.Second)
	switch {
	case v.level == "first_factor":
		return first
	case ages.Second == -1: // no second factor: the first has to do
		return first
	case v.level == "second_factor":
		return second
	case v.level == "multi_factor":
		return first && second
	default:
		return false
	}
}

// elapsedMinutes is how many whole minutes have gone by since the token was
// issued: factor ages are frozen at that moment. It is not a number where the
// token does not say when that was.
func elapsedMinutes(p *Principal, now time.Time) float64 {
	switch {
	case p.IssuedAt.IsZero():
		return math.NaN()
	case !now.After(p.IssuedAt):
		return 0
	}
	return math.Floor(now.Sub(p.IssuedAt).Minutes())
}
