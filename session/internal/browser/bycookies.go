package browser

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// ByCookies decides for a browser. The steps are Clerk's own, in its order: each
// decides, or leaves it to the next.
func (a *Authenticator) ByCookies(ctx context.Context, v *Visit) policy.AuthState {
	if state, decided := a.selectCookies(ctx, v); decided {
		return state
	}
	if state, decided := a.resolveHandshake(ctx, v); decided {
		return state
	}
	if v.conflict != nil {
		return a.renew(v, policy.ReasonSessionConflict, v.conflict)
	}
	if state, decided := a.syncSatellite(v); decided {
		return state
	}
	if state, decided := a.answerSatellite(v); decided {
		return state
	}
	if state, decided := a.checkDevBrowser(v); decided {
		return state
	}
	if state, decided := a.checkPresence(v); decided {
		return state
	}
	return a.byCookieToken(ctx, v)
}

// selectCookies finds out which cookies count: by default the session that verifies,
// whichever cookie it is in, since any sibling domain can set others beside it.
// Without one the choice is the reference's.
func (a *Authenticator) selectCookies(ctx context.Context, v *Visit) (policy.AuthState, bool) {
	if !a.relaxed.Credentials {
		found, err := a.verifyCookies(ctx, v)
		if isKeyOutage(err) {
			return failed(err), true
		}
		if jwt.ReasonOf(err) == policy.ReasonSessionConflict {
			v.conflict = err
		}
		if found != nil {
			v.checked, v.suffixed = found, found.family == &v.cookies.suffixed
			return policy.AuthState{}, false
		}
	}
	if a.relaxed.JSON && a.breaksChoice(v) {
		return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonUnexpectedError, Presented: true, Cause: claim.ErrNull}, true
	}
	v.suffixed = a.choosesSuffixed(&v.cookies, v.now)
	return policy.AuthState{}, false
}

// checkPresence compares the two cookies that a browser has when it is signed
// in. One without the other is for the Frontend API to look into. By default a
// session that verifies counts alone where the browser cannot be sent there:
// some clear or withhold the cookie that says since when.
func (a *Authenticator) checkPresence(v *Visit) (policy.AuthState, bool) {
	token, uat := v.cookieToken(), v.clientUAT()
	switch {
	case token == "" && uat == 0:
		return a.signedOut(v, policy.ReasonSessionMissing), true
	case token == "":
		return a.renew(v, policy.ReasonUATNoSession, nil), true
	case uat == 0:
		state := a.renew(v, policy.ReasonSessionNoUAT, nil)
		sendable := v.mayHandshake() && !v.loops()
		return state, sendable || v.checked == nil || v.family().uat() != ""
	}
	return policy.AuthState{}, false
}

// byCookieToken decides by the session cookie.
func (a *Authenticator) byCookieToken(ctx context.Context, v *Visit) policy.AuthState {
	switch err := a.checkCookieToken(v); {
	case errors.Is(err, errNoNumber):
		return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonUnexpectedError, Presented: true, Cause: err}
	case err != nil:
		return a.tokenFailed(ctx, v, v.cookieToken(), err)
	}
	if a.predatesUAT(v) {
		return a.renew(v, policy.ReasonSessionBeforeUAT, jwt.NewError(policy.ReasonSessionBeforeUAT, "claim iat is before the client_uat cookie"))
	}
	p, err := a.verifyCookie(ctx, v)
	if err != nil && !isPending(err) {
		return a.tokenFailed(ctx, v, v.cookieToken(), err)
	}
	if a.isCrossOrigin(v) {
		if state := a.renew(v, policy.ReasonCrossOriginSync, nil); state.Status == policy.Handshake {
			return state
		}
	}
	if err != nil {
		return failed(err)
	}
	if state, decided := a.syncOrganization(v, p); decided {
		return state
	}
	return signedIn(p)
}

// checkCookieToken refuses what is no session token, before anything is read
// from it.
func (a *Authenticator) checkCookieToken(v *Visit) error {
	if v.checked != nil {
		return nil
	}
	t, err := unverified.Decode(v.cookieToken(), a.relaxed, nil)
	switch {
	case err != nil:
		return &jwt.Error{Reason: policy.ReasonTokenInvalid, Err: err}
	case !t.IsSession():
		return jwt.NewError(policy.ReasonTokenType, "not a session token")
	}
	if iat, present := t.Claims["iat"]; a.relaxed.Claims {
		if _, ok := compat.JSText(iat); !ok {
			return errNoNumber
		}
		v.issuedAt, v.dated = compat.JSNumber(iat), present // JSON's null is 0 to the reference, which is before any
	} else {
		v.issuedAt, v.dated = iat.(float64)
	}
	return nil
}

// errNoNumber is a claim iat that the reference fails to compare.
var errNoNumber = errors.New("claim iat is nothing that a number can be made of")

// predatesUAT reports whether the token is older than the browser's session.
func (a *Authenticator) predatesUAT(v *Visit) bool {
	if v.checked == nil {
		return v.dated && v.issuedAt < v.clientUAT()
	}
	return v.family().uat() != "" && before(v.checked.principal.IssuedAt, int64(v.clientUAT()))
}

func (a *Authenticator) verifyCookie(ctx context.Context, v *Visit) (*policy.Principal, error) {
	if v.checked != nil {
		return v.checked.principal, nil
	}
	return a.o.Verifier.Verify(ctx, v.cookieToken(), v.now)
}

// isOwn reports whether a token names this instance's own Frontend API: a cookie
// without suffix may be that of another instance on the same domain, or of the
// primary domain, whose sessions are not this application's.
func (a *Authenticator) isOwn(p *policy.Principal) bool {
	return strings.TrimPrefix(claim.Text(p.Claims, "iss"), "https://") == a.o.FrontendHost
}

// cookieSession is a session cookie that verified, and the cookies it came with.
type cookieSession struct {
	principal *policy.Principal
	token     string
	family    *cookieFamily
}

// verifyCookies returns the session that the session cookies name, or nil
// without any. All that verify must name one session. If none verifies, the
// error is that of the first, unless keys were missing for another: then nobody
// can tell.
func (a *Authenticator) verifyCookies(ctx context.Context, v *Visit) (*cookieSession, error) {
	jar := &v.cookies
	var found *cookieSession
	var failure error
	var seen []string
	for _, family := range []*cookieFamily{&jar.suffixed, &jar.plain} {
		for _, token := range family.sessions {
			if token == "" || slices.Contains(seen, token) {
				continue
			}
			if len(seen) == MaxSessionCookies {
				return nil, jwt.NewError(policy.ReasonSessionConflict, "too many session cookies")
			}
			seen = append(seen, token)
			p, err := a.o.Verifier.Verify(ctx, token, v.now)
			switch {
			case err == nil && family == &jar.plain && !a.isOwn(p):
			case err != nil:
				if failure == nil || isKeyOutage(err) {
					failure = err
				}
			case found == nil:
				found = &cookieSession{p, token, family}
			case p.UserID != found.principal.UserID || p.SessionID != found.principal.SessionID:
				return nil, jwt.NewError(policy.ReasonSessionConflict, "session cookies name two sessions")
			case family == found.family && p.IssuedAt.After(found.principal.IssuedAt):
				found.principal, found.token = p, token
			}
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, failure
}
