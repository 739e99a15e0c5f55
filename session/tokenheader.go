package session

import (
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// The classes of tokens that one instance key signs (header cat).
const (
	categorySession  = "cl_B7d4PD111AAA"
	categoryTemplate = "cl_B7d4PD222AAA"
	categoryMachine  = "cl_B7d4PD333AAA"
	categoryIgnore   = "cl_I7d4PD111III"
)

// extensions are header parameters that change what a token means (RFC 7515
// § 4.1.10 and 4.1.11, RFC 7516 § 4.1). Session tokens have none.
var extensions = []string{"crit", "b64", "zip", "enc", "cty"}

// checkHeader refuses tokens that are not session tokens as Clerk makes them.
// What a header offers as key (jwk, jku, x5u, x5c) is never looked at.
func (t *token) checkHeader(r compat.Relaxations) error {
	switch {
	case r.Categories && t.header["cat"] == categoryMachine:
		return refuse(policy.ReasonTokenInvalid, "a machine token")
	case !r.Categories && !t.isSession():
		return refuse(policy.ReasonTokenType, "not a session token")
	}
	if typ, present := t.header["typ"]; present && typ != "JWT" {
		return refuse(policy.ReasonTokenInvalid, "header typ is not JWT")
	}
	return t.checkSignatureHeader(r)
}

// checkSignatureHeader refuses algorithms other than Clerk's, and parameters
// that change what a token means.
func (t *token) checkSignatureHeader(r compat.Relaxations) error {
	alg := t.algorithm()
	if _, known := hashes[alg]; !known || alg != "RS256" && !r.Algorithms {
		return refuse(policy.ReasonTokenAlgorithm, "header alg is not RS256")
	}
	if r.Header {
		return nil
	}
	for _, name := range extensions {
		if _, present := t.header[name]; present {
			return refuse(policy.ReasonTokenInvalid, "header "+name+" is present")
		}
	}
	if _, ok := t.kid(r); !ok {
		return refuse(policy.ReasonKidMismatch, "header kid is not text")
	}
	return nil
}

// isSession tells session tokens from the machine tokens and template tokens
// that the same key signs.
func (t *token) isSession() bool {
	if t.machineType() != "" {
		return false
	}
	category, present := t.header["cat"]
	return !present || category == categorySession || category == categoryIgnore
}

// algorithm returns header alg, or "" where it is not text.
func (t *token) algorithm() string {
	alg, _ := t.header["alg"].(string)
	return alg
}

// kid returns header kid, or "" where there is none, and false where it is not
// text. The reference takes for text whatever it can make one of.
func (t *token) kid(r compat.Relaxations) (kid string, ok bool) {
	if r.Keys {
		return compat.JSTextOf(t.header, "kid")
	}
	named, present := t.header["kid"]
	kid, ok = named.(string)
	return kid, ok || !present
}
