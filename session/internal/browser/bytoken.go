package browser

import (
	"cmp"
	"context"
	"errors"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// ByToken decides by the token of the Authorization field.
func (a *Authenticator) ByToken(ctx context.Context, v *Visit, token string) policy.AuthState {
	if a.relaxed.Categories {
		if t, err := unverified.Decode(token, a.relaxed, nil); err == nil && !t.IsSession() {
			return failed(jwt.NewError(policy.ReasonTokenType, "not a session token"))
		}
	}
	p, err := a.o.Verifier.Verify(ctx, token, v.now)
	if err != nil {
		if a.relaxed.Bearers {
			v.suffixed = a.choosesSuffixed(&v.cookies, v.now)
		}
		return a.tokenFailed(ctx, v, token, err)
	}
	return signedIn(p)
}

func signedIn(p *policy.Principal) policy.AuthState {
	return policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true}
}

// failed is the state of a credential that does not hold, or of which that
// cannot be told.
func failed(err error) policy.AuthState {
	state := policy.AuthState{Status: policy.SignedOut, Reason: policy.ReasonUnexpectedError, Presented: true, Cause: err}
	if e, ok := errors.AsType[*jwt.Error](err); ok {
		state.Reason = cmp.Or(sessionReasons[e.Reason], e.Reason)
	}
	if isKeyOutage(err) {
		state.Status = policy.Unavailable
	}
	return state
}

// sessionReasons are the words that Clerk has for a request whose token is out
// of its time.
var sessionReasons = map[policy.Reason]policy.Reason{
	policy.ReasonTokenExpired:    policy.ReasonSessionExpired,
	policy.ReasonTokenNotActive:  policy.ReasonSessionNotYet,
	policy.ReasonTokenFromFuture: policy.ReasonSessionFromFuture,
}
