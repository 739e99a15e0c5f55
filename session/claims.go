package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// ReadClaims returns the principal that the claims of a session token describe,
// of claims version 1 or 2. It checks neither signature nor times: hand it
// claims that were verified. Numbers are float64, as encoding/json decodes them.
// With referenceCompat, claims of an odd shape are ignored where Clerk's own
// library ignores them; otherwise they are errors.
func ReadClaims(claims map[string]any, referenceCompat bool) (*policy.Principal, error) {
	return readClaims(claims, Config{ReferenceCompat: referenceCompat}.relaxed())
}

func readClaims(claims map[string]any, r compat.Relaxations) (*policy.Principal, error) {
	if !r.Claims {
		if err := checkShapes(claims); err != nil {
			return nil, err
		}
	}
	p := &policy.Principal{
		TokenType:     policy.SessionToken,
		UserID:        text(claims, "sub"),
		SessionID:     text(claims, "sid"),
		SessionStatus: text(claims, "sts"),
		Features:      policy.ParseEntitlements(text(claims, "fea")),
		Plans:         policy.ParseEntitlements(text(claims, "pla")),
		Factors:       factorAges(claims["fva"]),
		Actor:         actor(claims["act"]),
		IssuedAt:      instant(claims["iat"]),
		ExpiresAt:     instant(claims["exp"]),
		Claims:        claims,
	}
	if err := readOrganization(p, claims, r); err != nil {
		return nil, err
	}
	if !r.Claims {
		for _, permission := range p.OrgPermissions {
			if !isIdentifier(permission) {
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
		p.OrgID = text(claims, "org_id")
		p.OrgSlug = text(claims, "org_slug")
		p.OrgRole = text(claims, "org_role")
		p.OrgPermissions = texts(claims["org_permissions"])
		return nil
	}
	if compat.IsFalsy(claims["o"]) {
		return nil
	}
	o, _ := claims["o"].(map[string]any)
	p.OrgID = text(o, "id")
	p.OrgSlug = text(o, "slg")
	if role := text(o, "rol"); role != "" {
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
	p.OrgPermissions, err = unpackPermissions(text(claims, "fea"), text(o, "per"), text(o, "fpm"), r.Permissions)
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
		if value, present := claims[name]; present && !isIdentifier(value) {
			return fmt.Errorf("claim %s is not an id", name)
		}
	}
	if !isSlug(claims["org_slug"]) {
		return errors.New("claim org_slug is not a slug")
	}
	if list, present := claims["org_permissions"]; present {
		elements, ok := list.([]any)
		if !ok || len(texts(list)) != len(elements) {
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
		if object, ok := act.(map[string]any); !ok || !isIdentifier(object["sub"]) {
			return errors.New("claim act does not name an actor")
		}
	}
	if o, present := claims["o"]; present {
		return checkOrganizationShape(o)
	}
	return nil
}

func checkOrganizationShape(claim any) error {
	o, ok := claim.(map[string]any)
	if !ok {
		return errors.New("claim o is not an object")
	}
	if !isIdentifier(o["id"]) {
		return errors.New("claim o names no organization")
	}
	if rol, present := o["rol"]; present && !isIdentifier(rol) {
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
func isSlug(v any) bool { return v == nil || v == "" || isIdentifier(v) }

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

// unknownActor stands for an actor that claim act does not name: the session
// is impersonated all the same.
const unknownActor = "unknown"

// actor reads claim act: who is acting as the subject.
func actor(claim any) string {
	if claim == nil {
		return ""
	}
	object, _ := claim.(map[string]any)
	if sub := text(object, "sub"); sub != "" {
		return sub
	}
	return unknownActor
}

// instant returns a claim of Unix seconds as a time, kept within the years that
// have four digits; the zero time where it is none.
func instant(claim any) time.Time {
	seconds, ok := claim.(float64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(int64(max(0, min(seconds, maxInstant)) * 1000))
}

// text returns a member that is text, else "".
func text(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

// texts returns the texts of a list; nil where it is none.
func texts(claim any) []string {
	list, ok := claim.([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, element := range list {
		if s, ok := element.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
