package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

// machineVerifier verifies the machine tokens that are JSON Web Tokens. Nothing
// can be asked about them: they count until they expire.
type machineVerifier struct {
	base  *Verifier // has the rules and finds the keys
	known *otter.Cache[fingerprint.Sum, *verifiedMachine]
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
		base:  NewVerifier(rules, keys, nil),
		known: otter.Must(&otter.Options[fingerprint.Sum, *verifiedMachine]{MaximumSize: maxCached}),
	}
}

// classify returns the type of a machine token that is a JSON Web Token, and the
// token taken apart; or "" for anything else. Nothing of it is verified.
func (v *machineVerifier) classify(text string) (policy.TokenType, *token) {
	if !hintsAtMachine(text) || !isCompact(text) {
		return "", nil
	}
	if known, ok := v.known.GetIfPresent(fingerprint.Of(text)); ok {
		t := known.token
		t.signed = text[:strings.LastIndexByte(text, '.')]
		return known.kind, &t
	}
	t, err := decodeToken(text, v.base.rules.relaxed, nil)
	if err != nil {
		return "", nil
	}
	return t.machineType(), t
}

// verify returns the principal that a token of the type names, as of now. For
// what is wrong with a token Clerk has one word; the cause says more.
func (v *machineVerifier) verify(ctx context.Context, text string, kind policy.TokenType, t *token, now time.Time) (*policy.Principal, error) {
	p, err := v.verifyToken(ctx, text, kind, t, now)
	if err == nil || isOutage(err) && !v.base.rules.relaxed.Outages || hasReason(err, policy.ReasonCanceled) {
		return p, err
	}
	if e, ok := errors.AsType[*Error](err); ok && (e.Reason == policy.ReasonTokenInvalid || e.Reason == policy.ReasonTokenVerification) {
		return nil, err
	}
	return nil, &Error{policy.ReasonTokenVerification, err}
}

func (v *machineVerifier) verifyToken(ctx context.Context, text string, kind policy.TokenType, t *token, now time.Time) (*policy.Principal, error) {
	rules := &v.base.rules
	switch {
	case v.base.keys == nil:
		return nil, refuse(policy.ReasonTokenVerification, "there is no key to verify with")
	case !t.hasMachineCategory(kind, rules.relaxed):
		return nil, refuse(policy.ReasonTokenInvalid, "header cat is that of another class of tokens")
	}
	key, err := v.base.findKey(ctx, t, t.checkMachineHeader(kind, rules.relaxed), now)
	if err != nil {
		return nil, err
	}
	id := fingerprint.Of(text)
	known, seen := v.known.GetIfPresent(id)
	seen = seen && known.key.equal(key)
	if !seen {
		if err := checkSignature(t, key); err != nil {
			return nil, err
		}
	}
	if err := rules.checkMachineClaims(kind, t.claims, now); err != nil {
		return nil, err
	}
	if seen {
		return known.principal, nil
	}
	return v.read(id, len(text), kind, t, key)
}

// read returns the principal of a token that holds, and remembers it.
func (v *machineVerifier) read(id fingerprint.Sum, size int, kind policy.TokenType, t *token, key *Key) (*policy.Principal, error) {
	identity := t.identity(kind, v.base.rules.relaxed)
	if err := identity.check(kind, v.base.rules.relaxed); err != nil {
		return nil, &Error{policy.ReasonTokenVerification, err}
	}
	p := identity.principal(kind, id)
	if size <= maxCachedToken {
		kept := token{header: t.header, claims: t.claims, signature: t.signature, compact: true}
		v.known.Set(id, &verifiedMachine{kind, kept, p, key})
	}
	return p, nil
}
