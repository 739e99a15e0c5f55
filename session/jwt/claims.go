package jwt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// ReadClaims returns the principal that the claims of a session token describe, of claims
// version 1 or 2. It compares nothing, neither a signature nor a time nor what else is
// expected: hand it claims that were verified. Numbers are float64, as encoding/json
// decodes them. Claims of an odd shape are errors, but for those that Clerk's own library
// ignores where it is asked to decide like that ([Expected.ReferenceCompat]).
func (e Expected) ReadClaims(claims map[string]any) (*policy.Principal, error) {
	return readClaims(claims, compat.Of(e.ReferenceCompat))
}

func readClaims(claims map[string]any, r compat.Relaxations) (*policy.Principal, error) {
	if !r.Claims {
		if err := checkShapes(claims); err != nil {
			return nil, err
		}
	}
	p := &policy.Principal{
		TokenType:     policy.SessionToken,
		UserID:        claim.Text(claims, "sub"),
		SessionID:     claim.Text(claims, "sid"),
		SessionStatus: claim.Text(claims, "sts"),
		Features:      policy.ParseEntitlements(claim.Text(claims, "fea")),
		Plans:         policy.ParseEntitlements(claim.Text(claims, "pla")),
		Factors:       factorAges(claims["fva"]),
		Actor:         claim.Actor(claims["act"]),
		IssuedAt:      claim.Instant(claims["iat"]),
		ExpiresAt:     claim.Instant(claims["exp"]),
		Claims:        claims,
	}
	if err := readOrganization(p, claims, r); err != nil {
		return nil, err
	}
	if !r.Claims {
		for _, permission := range p.OrgPermissions {
			if !claim.IsIdentifier(permission) {
				return nil, errors.New("a permission is not the text of one")
			}
		}
	}
	return p, nil
}

// readOrganization sets the active organization. Only the number 2 makes
// claims version 2; everything else is read as version 1, where an organization
// in claim o is none.
func readOrganization(p *policy.Principal, claims map[string]any, r compat.Relaxations) (err error) {
	if claims["v"] != float64(2) {
		p.OrgID = claim.Text(claims, "org_id")
		p.OrgSlug = claim.Text(claims, "org_slug")
		p.OrgRole = claim.Text(claims, "org_role")
		p.OrgPermissions = claim.Texts(claims["org_permissions"])
		return nil
	}
	if compat.IsFalsy(claims["o"]) {
		return nil
	}
	o, _ := claims["o"].(map[string]any)
	p.OrgID = claim.Text(o, "id")
	p.OrgSlug = claim.Text(o, "slg")
	if role := claim.Text(o, "rol"); role != "" {
		p.OrgRole = "org:" + role
	} else if r.Claims && !compat.IsFalsy(o["rol"]) {
		role, ok := compat.JSText(o["rol"])
		if !ok {
			return errors.New("claim o.rol is nothing that a text can be made of")
		}
		p.OrgRole = "org:" + role
	}
	if !isTextOrFalsy(claims["fea"]) {
		return errors.New("claim fea is not text")
	}
	if !compat.IsFalsy(o["per"]) && !compat.IsFalsy(o["fpm"]) && (!isTextOrFalsy(o["per"]) || !isTextOrFalsy(o["fpm"])) {
		return errors.New("claim o.per or o.fpm is not text")
	}
	p.OrgPermissions, err = unpackPermissions(claim.Text(claims, "fea"), claim.Text(o, "per"), claim.Text(o, "fpm"), r.Permissions)
	return err
}

// isTextOrFalsy reports whether a claim is text, or one that counts as absent.
func isTextOrFalsy(claim any) bool {
	_, ok := claim.(string)
	return ok || compat.IsFalsy(claim)
}

// checkShapes refuses known claims of another type or shape than Clerk's, in
// tokens of either version.
func checkShapes(claims map[string]any) error {
	for _, name := range []string{"org_id", "org_role"} {
		if value, present := claims[name]; present && !claim.IsIdentifier(value) {
			return fmt.Errorf("claim %s is not an id", name)
		}
	}
	if !isSlug(claims["org_slug"]) {
		return errors.New("claim org_slug is not a slug")
	}
	if list, present := claims["org_permissions"]; present {
		elements, ok := list.([]any)
		if !ok || len(claim.Texts(list)) != len(elements) {
			return errors.New("claim org_permissions is not a list of texts")
		}
		if slices.Contains(elements, any("org:")) {
			return errors.New("claim org_permissions holds what names no permission")
		}
	}
	if fva, present := claims["fva"]; present && !factorAges(fva).Known {
		return errors.New("claim fva is not a pair of ages")
	}
	if claims["org_role"] == "org:" {
		return errors.New("claim org_role names no role")
	}
	if act, present := claims["act"]; present {
		if object, ok := act.(map[string]any); !ok || !claim.IsIdentifier(object["sub"]) {
			return errors.New("claim act does not name an actor")
		}
	}
	if o, present := claims["o"]; present {
		return checkOrganizationShape(o)
	}
	return nil
}

func checkOrganizationShape(value any) error {
	o, ok := value.(map[string]any)
	if !ok {
		return errors.New("claim o is not an object")
	}
	if !claim.IsIdentifier(o["id"]) {
		return errors.New("claim o names no organization")
	}
	if rol, present := o["rol"]; present && !claim.IsIdentifier(rol) {
		return errors.New("claim o.rol is not an id")
	}
	if !isSlug(o["slg"]) {
		return errors.New("claim o.slg is not a slug")
	}
	for _, name := range []string{"per", "fpm"} {
		if value, present := o[name]; present {
			if _, ok := value.(string); !ok {
				return fmt.Errorf("claim o.%s is not text", name)
			}
		}
	}
	return nil
}

// isSlug takes absent and empty slugs too: instances may do without.
func isSlug(v any) bool { return v == nil || v == "" || claim.IsIdentifier(v) }

// factorAges reads claim fva: exactly two numbers of minutes, each -1 or not
// negative.
func factorAges(claim any) policy.FactorAges {
	pair, ok := claim.([]any)
	if !ok || len(pair) != 2 {
		return policy.FactorAges{}
	}
	first, ok1 := pair[0].(float64)
	second, ok2 := pair[1].(float64)
	if !ok1 || !ok2 || !isAge(first) || !isAge(second) {
		return policy.FactorAges{}
	}
	return policy.FactorAges{First: first, Second: second, Known: true}
}

func isAge(minutes float64) bool { return minutes == -1 || minutes >= 0 }
