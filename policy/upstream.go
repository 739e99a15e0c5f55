package policy

import (
	"context"
	"time"
)

// Tokens gets tokens that upstreams receive in place of the user's own.
// Implementations are safe for concurrent use, cache and bound their calls.
type Tokens interface {
	// Token returns the token that Clerk makes from a JWT template for the
	// session of p, in its active organization. Without a token there is a
	// reason: [ReasonSessionRevoked] for a session that has ended,
	// [ReasonOrganizationRequired] where Clerk speaks for another organization,
	// [ReasonClerkUnavailable] otherwise. The cause is for the log and has no token.
	Token(ctx context.Context, p *Principal, template string, now time.Time) (token string, reason Reason, cause error)
}

// Assertions signs identity assertions. Implementations are safe for
// concurrent use and make no call.
type Assertions interface {
	// Assertion returns a signed JSON Web Token about p, as of now.
	Assertion(p *Principal, now time.Time) (string, error)
}

// obtainCredentials makes what the upstream receives in place of the user's credentials. It
// is asked last: nothing is made for a request that does not pass.
func (e *evaluation) obtainCredentials() Reason {
	if reason := e.obtainToken(); reason != "" {
		return reason
	}
	return e.assert()
}

// obtainToken gets the upstream's token for a session. Where a public rule
// would have none, the request is allowed as anonymous.
func (e *evaluation) obtainToken() Reason {
	wanted := e.wantedToken()
	if wanted == nil || e.principal == nil || e.principal.TokenType != SessionToken {
		return ""
	}
	text, reason, cause := e.policy.deps.Tokens.Token(e.ctx, e.principal, wanted.Template, e.now)
	if reason == "" && isTokenText(text) {
		e.issued = append(e.issued, wanted.bearer(text))
		e.trace.add("upstream token", "", wanted.Template)
		return ""
	}
	reason, e.cause = denialReason(reason, ReasonClerkUnavailable), cause
	e.trace.add("upstream token", string(reason), wanted.Template)
	if e.rule.access == Public {
		e.principal = nil
		return ""
	}
	return reason
}

// wantedToken is the token of the first rule that has one; nil for none.
func (e *evaluation) wantedToken() *UpstreamToken {
	var wanted *UpstreamToken
	e.everyRule(func(r *rule) Reason {
		if wanted == nil {
			wanted = r.token
		}
		return ""
	})
	return wanted
}

// assert signs the identity assertion.
func (e *evaluation) assert() Reason {
	header := e.policy.assertionHeader
	if header == "" || e.principal == nil {
		return ""
	}
	text, err := e.policy.deps.Assertions.Assertion(e.principal, e.now)
	if err != nil || !isTokenText(text) {
		e.cause = err
		return ReasonAssertionFailed
	}
	e.issued = append(e.issued, Header{header, text})
	e.trace.add("assertion", "", header)
	return ""
}
