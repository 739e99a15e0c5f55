package jwt

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// MachineVerifier verifies the machine tokens that are JSON Web Tokens: M2M tokens, and
// OAuth access tokens (RFC 9068). Clerk has no way to look them up, so they are valid
// until they expire. It is safe for concurrent use.
type MachineVerifier struct {
	base  *Verifier // knows what is expected and finds the keys
	known *otter.Cache[fingerprint.Sum, *verifiedMachine]
}

// MachineToken is a parsed machine token that is a JSON Web Token. Only
// [MachineVerifier.Verify] verifies it.
type MachineToken struct {
	// Type is [policy.M2MToken] or [policy.OAuthToken], as the token says.
	Type  policy.TokenType
	text  string
	token *unverified.Token
}

// verifiedMachine is what a token said whose signature was verified, and the key
// under which it was. Whether it is valid is looked at each time.
type verifiedMachine struct {
	kind      policy.TokenType
	token     unverified.Token // without its text
	principal *policy.Principal
	key       *Key
}

// NewMachineVerifier returns a verifier under keys, which are nil where no token
// can be verified. Parties are compared for browsers' tokens alone: Clerk does
// not put claim azp into others. With [Expected.ReferenceCompat] issuers are not
// compared either.
func NewMachineVerifier(expected Expected, keys KeySet) *MachineVerifier {
	expected.AuthorizedParties = nil
	if compat.Of(expected.ReferenceCompat).Issuer {
		expected.Issuers = nil
	}
	return &MachineVerifier{
		base:  NewVerifier(expected, keys, nil),
		known: otter.Must(&otter.Options[fingerprint.Sum, *verifiedMachine]{MaximumSize: maxCached}),
	}
}

// Parse parses a machine token without verifying it. It reports false for anything else, such as a
// session token or an opaque token.
func (v *MachineVerifier) Parse(text string) (MachineToken, bool) {
	if !unverified.HintsAtMachine(text) || !unverified.IsCompact(text) {
		return MachineToken{}, false
	}
	if known, ok := v.known.GetIfPresent(fingerprint.Of(text)); ok {
		t := known.token
		t.Signed = text[:strings.LastIndexByte(text, '.')]
		return MachineToken{known.kind, text, &t}, true
	}
	t, err := unverified.Decode(text, v.base.expected.relaxed, nil)
	if err != nil {
		return MachineToken{}, false
	}
	kind := t.MachineType()
	return MachineToken{kind, text, t}, kind != ""
}

// Verify returns the principal that a token names, as of now. The error is an *[Error].
// For what is wrong with a token Clerk has one word; the cause says more.
func (v *MachineVerifier) Verify(ctx context.Context, t MachineToken, now time.Time) (*policy.Principal, error) {
	p, err := v.verify(ctx, t, now)
	switch reason := ReasonOf(err); {
	case err == nil, reason == policy.ReasonCanceled, reason == policy.ReasonTokenInvalid, reason == policy.ReasonTokenVerification:
		return p, err
	case reason.Status() == http.StatusServiceUnavailable && !v.base.expected.relaxed.Outages:
		return p, err
	}
	return nil, &Error{policy.ReasonTokenVerification, err}
}

func (v *MachineVerifier) verify(ctx context.Context, m MachineToken, now time.Time) (*policy.Principal, error) {
	expected, t := &v.base.expected, m.token
	switch {
	case v.base.keys == nil:
		return nil, NewError(policy.ReasonTokenVerification, "there is no key to verify with")
	case !hasMachineCategory(t, m.Type, expected.relaxed):
		return nil, NewError(policy.ReasonTokenInvalid, "header cat is that of another class of tokens")
	}
	key, err := v.base.findKey(ctx, t, checkMachineHeader(t, m.Type, expected.relaxed), now)
	if err != nil {
		return nil, err
	}
	id := fingerprint.Of(m.text)
	known, seen := v.known.GetIfPresent(id)
	seen = seen && known.key.equal(key)
	if !seen {
		if err := checkSignature(t, key); err != nil {
			return nil, err
		}
	}
	if err := expected.checkMachineClaims(m.Type, t.Claims, now); err != nil {
		return nil, err
	}
	if seen {
		return known.principal, nil
	}
	return v.read(id, m, key)
}

// read returns the principal of a valid token, and remembers it.
func (v *MachineVerifier) read(id fingerprint.Sum, m MachineToken, key *Key) (*policy.Principal, error) {
	t, r := m.token, v.base.expected.relaxed
	who := identityOf(t, m.Type, r)
	if err := who.Check(m.Type, r); err != nil {
		return nil, &Error{policy.ReasonTokenVerification, err}
	}
	p := who.Principal(m.Type, id)
	if len(m.text) <= maxCachedToken {
		kept := unverified.Token{Header: t.Header, Claims: t.Claims, Signature: t.Signature, Compact: true}
		v.known.Set(id, &verifiedMachine{m.Type, kept, p, key})
	}
	return p, nil
}
