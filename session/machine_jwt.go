package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
)

// machineVerifier verifies the machine tokens that are JSON Web Tokens. Nothing
// can be asked about them: they count until they expire.
type machineVerifier struct {
	*Verifier // for its rules and keys; its cache is for session tokens
	known     *otter.Cache[fingerprint, *verifiedMachine]
}

// verifiedMachine is what a token said whose signature was verified, and the key
// under which it was. Whether it holds is looked at each time.
type verifiedMachine struct {
	kind      policy.TokenType
	token     token // without its text
	principal *policy.Principal
	key       *Key
}

// newMachineVerifier returns a verifier under keys, which are nil where no token
// can be verified. Parties are compared for browsers' tokens alone: Clerk does
// not put claim azp into others.
func newMachineVerifier(rules Rules, keys KeySet) *machineVerifier {
	rules.AuthorizedParties = nil
	return &machineVerifier{
		Verifier: NewVerifier(rules, keys, nil),
		known:    otter.Must(&otter.Options[fingerprint, *verifiedMachine]{MaximumSize: maxCached}),
	}
}

// classify returns the type of a machine token that is a JSON Web Token, and the
// token taken apart; or "" for anything else. Nothing of it is verified.
func (v *machineVerifier) classify(text string) (policy.TokenType, *token) {
	if !hintsAtMachine(text) || !isCompact(text) {
		return "", nil
	}
	if known, ok := v.known.GetIfPresent(fingerprintOf(text)); ok {
		t := known.token
		t.signed = text[:strings.LastIndexByte(text, '.')]
		return known.kind, &t
	}
	t, err := decodeToken(text, v.rules.relaxed, nil)
	if err != nil {
		return "", nil
	}
	return t.machineType(), t
}

// verify returns the principal that a token of the type names, as of now. What
// is wrong with a token has one word with Clerk; the cause says more.
func (v *machineVerifier) verify(ctx context.Context, text string, kind policy.TokenType, t *token, now time.Time) (*policy.Principal, error) {
	p, err := v.verifyToken(ctx, text, kind, t, now)
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return p, nil
	case ok && (outages[e.Reason] || e.Reason == policy.ReasonCanceled || e.Reason == policy.ReasonTokenInvalid):
		return nil, err
	}
	return nil, &Error{policy.ReasonTokenVerification, err}
}

func (v *machineVerifier) verifyToken(ctx context.Context, text string, kind policy.TokenType, t *token, now time.Time) (*policy.Principal, error) {
	if v.keys == nil {
		return nil, refuse(policy.ReasonTokenVerification, "there is no key to verify with")
	}
	if !t.hasMachineCategory(kind, v.rules.relaxed) {
		return nil, &Error{policy.ReasonTokenInvalid, errors.New("header cat is that of another class of tokens")}
	}
	key, err := v.findKey(ctx, t, t.checkMachineHeader(kind, v.rules.relaxed), now)
	if err != nil {
		return nil, err
	}
	id := fingerprintOf(text)
	if known, ok := v.known.GetIfPresent(id); ok && known.key.equal(key) {
		if err := v.checkMachineClaims(kind, t.claims, now); err != nil {
			return nil, err
		}
		return known.principal, nil
	}
	if err := checkSignature(t, key); err != nil {
		return nil, err
	}
	if err := v.checkMachineClaims(kind, t.claims, now); err != nil {
		return nil, err
	}
	identity := t.identity(kind, v.rules.relaxed)
	if err := identity.check(kind, v.rules.relaxed); err != nil {
		return nil, &Error{policy.ReasonTokenVerification, err}
	}
	p := identity.principal(kind, id)
	if len(text) <= maxCachedToken {
		kept := token{header: t.header, claims: t.claims, signature: t.signature}
		v.known.Set(id, &verifiedMachine{kind, kept, p, key})
	}
	return p, nil
}
