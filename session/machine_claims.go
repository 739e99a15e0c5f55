package session

import (
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// checkMachineHeader refuses tokens that are not of the type, as Clerk makes
// them. A client's are of the type for their typ.
func (t *token) checkMachineHeader(kind policy.TokenType, r compat.Relaxations) error {
	if typ, present := t.header["typ"]; kind == policy.M2MToken && present && typ != "JWT" {
		return refuse(policy.ReasonTokenVerification, "header typ is not JWT")
	}
	return t.checkSignatureHeader(r)
}

// hasMachineCategory reports whether header cat is one that tokens of the type
// have. Those of OAuth have none; the reference does not look.
func (t *token) hasMachineCategory(kind policy.TokenType, r compat.Relaxations) bool {
	category, present := t.header["cat"]
	if kind == policy.M2MToken {
		return !present || category == categoryMachine
	}
	return r.Header || category != categorySession && category != categoryTemplate && category != categoryMachine
}

// checkMachineClaims compares the claims of a verified token with the rules and
// the time. It is run for every request.
func (r *Rules) checkMachineClaims(kind policy.TokenType, claims map[string]any, now time.Time) error {
	_, named := claims["sub"].(string)
	switch {
	case !named:
		return refuse(policy.ReasonTokenVerification, "claim sub is not text")
	case !r.issuer(claims["iss"]):
		return refuse(policy.ReasonIssuer, "claim iss is not the Frontend API of this instance")
	case kind == policy.OAuthToken && !r.oauthAudience(claims["aud"]),
		kind == policy.M2MToken && !r.audience(claims["aud"]):
		return refuse(policy.ReasonTokenVerification, "claim aud names none of the configured audiences")
	case !hasReadableScopes(kind, claims):
		return refuse(policy.ReasonTokenVerification, "the claim of the scopes is not text")
	}
	return r.checkTimes(claims, now)
}

// hasReadableScopes reports whether the claim that holds the scopes is text where
// Clerk's library reads text, and stops at anything else.
func hasReadableScopes(kind policy.TokenType, claims map[string]any) bool {
	claim := claims["scopes"]
	if kind == policy.OAuthToken {
		if claim = claims["scope"]; claims["scp"] != nil {
			return true
		}
	}
	_, ok := claim.(string)
	return ok || claim == nil
}

// identity reads what a token says of itself.
func (t *token) identity(kind policy.TokenType, r compat.Relaxations) *machineIdentity {
	i := &machineIdentity{
		id:      text(t.claims, "jti"),
		subject: text(t.claims, "sub"),
		actor:   actor(t.claims["act"]),
		issued:  instant(t.claims["iat"]),
		expires: instant(t.claims["exp"]),
		claims:  t.claims,
	}
	if kind == policy.OAuthToken {
		i.clientID = text(t.claims, "client_id")
		i.scopes = firstScopes(r, t.claims["scp"], t.claims["scope"])
		return i
	}
	i.scopes = firstScopes(r, t.claims["scopes"], t.claims["aud"])
	i.claims = withoutRegistered(t.claims)
	return i
}

// firstScopes reads the first of the claims that is there: a list of scopes, or
// text with spaces between. Between two spaces the reference sees an empty one.
// Whatever else it is holds none, and hides the claims behind it.
func firstScopes(r compat.Relaxations, claims ...any) []string {
	for _, claim := range claims {
		switch v := claim.(type) {
		case []any:
			return texts(v)
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
