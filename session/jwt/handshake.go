package jwt

import (
	"context"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// VerifyHandshake returns the claims of the signed answer by which the Frontend API ends a
// handshake. It has neither parties nor an issuer to compare; by default one that says
// when it was made is accepted for five minutes. The error is an *[Error].
func (v *Verifier) VerifyHandshake(ctx context.Context, text string, now time.Time) (map[string]any, error) {
	t, err := unverified.Decode(text, v.expected.relaxed, nil)
	if err != nil {
		return nil, &Error{policy.ReasonTokenInvalid, err}
	}
	if t.NullHeader {
		return nil, undecodable(claim.ErrNull)
	}
	key, err := v.findKey(ctx, t, checkHeader(t, v.expected.relaxed), now)
	if err != nil {
		return nil, err
	}
	if !t.IsSession() {
		return nil, NewError(policy.ReasonTokenInvalid, "not of the class of handshakes")
	}
	if err := checkSignature(t, key); err != nil {
		return nil, err
	}
	if v.expected.relaxed.Handshakes {
		return t.Claims, nil
	}
	earliest, latest := now.Add(-maxHandshakeAge-v.expected.Leeway), now.Add(v.expected.Leeway)
	if iat := claim.Instant(t.Claims["iat"]); !iat.IsZero() && (iat.Before(earliest) || iat.After(latest)) {
		return nil, NewError(policy.ReasonTokenExpired, "the handshake was answered too long ago")
	}
	if exp := claim.Instant(t.Claims["exp"]); !exp.IsZero() && !exp.After(now.Add(-v.expected.Leeway)) {
		return nil, NewError(policy.ReasonTokenExpired, "claim exp of the handshake has passed")
	}
	return t.Claims, nil
}

// maxHandshakeAge bounds how old the answer of a handshake may be.
const maxHandshakeAge = 5 * time.Minute
