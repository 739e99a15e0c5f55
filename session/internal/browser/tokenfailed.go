package browser

import (
	"context"
	"errors"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// tokenFailed is the state of a token that does not hold. One that is out of its
// time may be renewed: by asking the Backend API, or by sending the browser to
// the Frontend API. By default that is for cookies alone: a caller with an
// Authorization field is no browser that could be sent anywhere.
func (a *Authenticator) tokenFailed(ctx context.Context, v *Visit, token string, err error) policy.AuthState {
	e, ok := errors.AsType[*jwt.Error](err)
	if !ok || v.Bearer && !a.relaxed.Bearers || isKeyOutage(err) && !a.relaxed.Outages {
		return failed(err)
	}
	switch e.Reason {
	case policy.ReasonTokenExpired:
		return a.refreshed(ctx, v, token, err)
	case policy.ReasonTokenNotActive, policy.ReasonTokenFromFuture:
		return a.renew(v, sessionReasons[e.Reason], err)
	}
	return failed(err)
}

// isPending reports whether a token holds but for the session's open tasks.
func isPending(err error) bool { return jwt.ReasonOf(err) == policy.ReasonSessionPending }

// signedOut is the state of a browser that is not signed in.
func (a *Authenticator) signedOut(v *Visit, reason policy.Reason) policy.AuthState {
	return policy.AuthState{Reason: reason, Presented: v.Presented()}
}
