package jwt

import (
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/machineid"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// checkMachineHeader refuses tokens that are not of the type, as Clerk makes
// them. A client's are of the type for their typ.
func checkMachineHeader(t *unverified.Token, kind policy.TokenType, r compat.Relaxations) error {
	if typ, present := t.Header["typ"]; kind == policy.M2MToken && present && typ != "JWT" {
		return NewError(policy.ReasonTokenVerification, "header typ is not JWT")
	}
	return checkSignatureHeader(t, r)
}

// hasMachineCategory reports whether header cat is one that tokens of the type
// have. Those of OAuth have none; the reference does not look.
func hasMachineCategory(t *unverified.Token, kind policy.TokenType, r compat.Relaxations) bool {
	category, present := t.Header["cat"]
	if kind == policy.M2MToken {
		return !present || category == unverified.CategoryMachine
	}
	return r.Header || category != unverified.CategorySession && category != unverified.CategoryTemplate && category != unverified.CategoryMachine
}

// checkMachineClaims compares the claims of a verified token with what is
// expected and the time. It is run for every request.
func (e *Expected) checkMachineClaims(kind policy.TokenType, claims map[string]any, now time.Time) error {
	_, named := claims["sub"].(string)
	switch {
	case !named:
		return NewError(policy.ReasonTokenVerification, "claim sub is not text")
	case !e.issuer(claims["iss"]):
		return NewError(policy.ReasonIssuer, "claim iss is not the Frontend API of this instance")
	case kind == policy.OAuthToken && !machineid.AcceptsAudience(e.Audience, claims["aud"]),
		kind == policy.M2MToken && !e.audience(claims["aud"]):
		return NewError(policy.ReasonTokenVerification, "claim aud names none of the configured audiences")
	case !hasReadableScopes(kind, claims):
		return NewError(policy.ReasonTokenVerification, "the claim of the scopes is not text")
	}
	return e.checkTimes(claims, now)
}

// hasReadableScopes reports whether the claim that holds the scopes is text where
// Clerk's library reads text, and stops at anything else.
func hasReadableScopes(kind policy.TokenType, claims map[string]any) bool {
	scopes := claims["scopes"]
	if kind == policy.OAuthToken {
		if scopes = claims["scope"]; claims["scp"] != nil {
			return true
		}
	}
	_, ok := scopes.(string)
	return ok || scopes == nil
}

// identityOf reads what a token says of itself.
func identityOf(t *unverified.Token, kind policy.TokenType, r compat.Relaxations) *machineid.Identity {
	i := &machineid.Identity{
		ID:      claim.Text(t.Claims, "jti"),
		Subject: claim.Text(t.Claims, "sub"),
		Actor:   claim.Actor(t.Claims["act"]),
		Issued:  claim.Instant(t.Claims["iat"]),
		Expires: claim.Instant(t.Claims["exp"]),
		Claims:  t.Claims,
	}
	if kind == policy.OAuthToken {
		i.ClientID = claim.Text(t.Claims, "client_id")
		i.Scopes = firstScopes(r, t.Claims["scp"], t.Claims["scope"])
		return i
	}
	i.Scopes = firstScopes(r, t.Claims["scopes"], t.Claims["aud"])
	i.Claims = withoutRegistered(t.Claims)
	return i
}

// firstScopes reads the first of the claims that is there: a list of scopes, or
// text with spaces between. Between two spaces the reference sees an empty one.
// Whatever else it is holds none, and hides the claims behind it.
func firstScopes(r compat.Relaxations, claims ...any) []string {
	for _, value := range claims {
		switch v := value.(type) {
		case []any:
			return claim.Texts(v)
		case string:
			if r.Claims {
				return strings.Split(v, " ")
			}
			return strings.Fields(v)
		case nil:
		default:
			return []string{}
		}
	}
	return []string{}
}

// registered are the claims that say what a token is (RFC 7519 § 4.1), and so
// are none of the machine's own. Claim aud stays: Clerk keeps it.
var registered = []string{"iss", "sub", "exp", "nbf", "iat", "jti"}

// withoutRegistered returns a machine's own claims, nil without any.
func withoutRegistered(claims map[string]any) map[string]any {
	var own map[string]any
	for name, value := range claims {
		if slices.Contains(registered, name) {
			continue
		}
		if own == nil {
			own = make(map[string]any, len(claims))
		}
		own[name] = value
	}
	return own
}
