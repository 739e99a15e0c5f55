package session

import (
	"context"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// byCookies decides by the session cookies. All that verify must name one
// session; those that do not are ignored beside one that does, since any
// sibling domain can set them. Cookies with the instance's suffix come first.
func (a *Authenticator) byCookies(ctx context.Context, jar *cookieJar, now time.Time) policy.AuthState {
	found, err := a.verifyCookies(ctx, jar, now)
	switch {
	case err != nil:
		return failed(err)
	case found == nil && clientUAT(jar.suffixed.uat()) == 0 && clientUAT(jar.plain.uat()) == 0:
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	case found == nil:
		return policy.AuthState{Reason: policy.ReasonUATNoSession}
	}
	if value := found.family.uat(); value != "" {
		uat := clientUAT(value)
		if uat == 0 {
			return failed(refuse(policy.ReasonSessionNoUAT, "the client_uat cookie says signed out"))
		}
		if before(found.principal.IssuedAt, uat) {
			return failed(refuse(policy.ReasonSessionBeforeUAT, "claim iat is before the client_uat cookie"))
		}
	}
	return signedIn(found.principal)
}

// cookieSession is a session cookie that verified, and the cookies it came with.
type cookieSession struct {
	principal *policy.Principal
	family    *cookieFamily
}

// verifyCookies returns the session that the session cookies name, or nil
// without any. If none verifies, the error is that of the first, unless keys
// were missing for another: then nobody can tell.
func (a *Authenticator) verifyCookies(ctx context.Context, jar *cookieJar, now time.Time) (*cookieSession, error) {
	if len(jar.suffixed.sessions)+len(jar.plain.sessions) > maxSessionCookies {
		return nil, refuse(policy.ReasonSessionConflict, "too many session cookies")
	}
	var found *cookieSession
	var failure error
	var seen []string
	for _, family := range []*cookieFamily{&jar.suffixed, &jar.plain} {
		for _, token := range family.sessions {
			if token == "" || slices.Contains(seen, token) {
				continue
			}
			seen = append(seen, token)
			p, err := a.verifier.Verify(ctx, token, now)
			switch {
			case err != nil:
				if failure == nil || isUnavailable(err) {
					failure = err
				}
			case found == nil:
				found = &cookieSession{p, family}
			case p.UserID != found.principal.UserID || p.SessionID != found.principal.SessionID:
				return nil, refuse(policy.ReasonSessionConflict, "session cookies name two sessions")
			case family == found.family && p.IssuedAt.After(found.principal.IssuedAt):
				found.principal = p
			}
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, failure
}
