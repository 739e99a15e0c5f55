package session

import (
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
)

// asReference settles what Clerk's own library looks at before any credential:
// what it would refuse as unusable, and tokens of the wrong kind, for which it
// has words of its own.
func (a *Authenticator) asReference(v *browser.Visit, accept policy.TokenTypes) (policy.AuthState, bool) {
	if a.lacksConfig(accept) || !isOnly(accept, policy.M2MToken) && a.browsers.Misconfigured(v) {
		return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonUnexpectedError}, true
	}
	if v.Bearer || accept.Has(policy.SessionToken) {
		return policy.AuthState{}, false
	}
	reason := policy.ReasonTokenType
	if len(accept) == 1 {
		reason = policy.ReasonNoToken
	}
	return policy.AuthState{Reason: reason, Presented: v.Presented()}, true
}

// isOnly reports whether nothing but tokens of one type are taken.
func isOnly(accept policy.TokenTypes, t policy.TokenType) bool {
	return len(accept) == 1 && accept[0] == t
}

// lacksConfig reports whether the reference would miss a key or an address that
// we can do without.
func (a *Authenticator) lacksConfig(accept policy.TokenTypes) bool {
	c := &a.config
	switch {
	case a.key.Host == "" && !isOnly(accept, policy.APIKey) && !isOnly(accept, policy.M2MToken):
		return true
	case isOnly(accept, policy.M2MToken):
		return c.SecretKey == "" && c.MachineSecretKey == ""
	case c.SecretKey == "":
		return true
	case !c.Satellite:
		return false
	}
	test := strings.HasPrefix(c.SecretKey, "sk_test_") || strings.HasPrefix(c.SecretKey, "test_")
	return c.SignInURL == "" && test || c.Domain == "" && c.ProxyURL == ""
}
