package jwt

import (
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// extensions are header parameters that change what a token means (RFC 7515
// § 4.1.10 and 4.1.11, RFC 7516 § 4.1). Session tokens have none.
var extensions = []string{"crit", "b64", "zip", "enc", "cty"}

// checkHeader refuses tokens that are not session tokens as Clerk makes them.
// What a header offers as key (jwk, jku, x5u, x5c) is never looked at.
func checkHeader(t *unverified.Token, r compat.Relaxations) error {
	switch {
	case r.Categories && t.Header["cat"] == unverified.CategoryMachine:
		return NewError(policy.ReasonTokenInvalid, "a machine token")
	case !r.Categories && !t.IsSession():
		return NewError(policy.ReasonTokenType, "not a session token")
	}
	if typ, present := t.Header["typ"]; present && typ != "JWT" {
		return NewError(policy.ReasonTokenInvalid, "header typ is not JWT")
	}
	return checkSignatureHeader(t, r)
}

// checkSignatureHeader refuses algorithms other than Clerk's, and parameters
// that change what a token means.
func checkSignatureHeader(t *unverified.Token, r compat.Relaxations) error {
	alg := t.Algorithm()
	if _, known := hashes[alg]; !known || alg != "RS256" && !r.Algorithms {
		return NewError(policy.ReasonTokenAlgorithm, "header alg is not RS256")
	}
	if r.Header {
		return nil
	}
	for _, name := range extensions {
		if _, present := t.Header[name]; present {
			return NewError(policy.ReasonTokenInvalid, "header "+name+" is present")
		}
	}
	if _, ok := t.Kid(r); !ok {
		return NewError(policy.ReasonKidMismatch, "header kid is not text")
	}
	return nil
}
