package policy

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Tokens gets tokens that upstreams take in place of the user's own.
// Implementations are safe for concurrent use, cache and bound their calls.
type Tokens interface {
	// Token returns the token that Clerk makes from a JWT template for the
	// session of p, in its active organization. Without a token there is a
	// reason: [ReasonSessionRevoked] for a session that has ended,
	// [ReasonOrganizationRequired] where Clerk speaks for another organization,
	// [ReasonClerkUnavailable] for all that cannot be told. The cause is for the
	// log and holds no token.
	Token(ctx context.Context, p *Principal, template string, now time.Time) (token string, reason Reason, cause error)
}

// Assertions signs statements of who asks. Implementations are safe for
// concurrent use and make no call.
type Assertions interface {
	// Assertion returns a signed JSON Web Token about p, as of now.
	Assertion(p *Principal, now time.Time) (string, error)
}

// mint makes what the upstream receives in place of the user's credentials. It
// is asked last: nothing is made for a request that does not pass.
func (e *evaluation) mint() Reason {
	if reason := e.obtainToken(); reason != "" {
		return reason
	}
	return e.assert()
}

// obtainToken gets the upstream's token for a session. Where a public rule
// would have none, the request passes as anonymous.
func (e *evaluation) obtainToken() Reason {
	wanted := e.wantedToken()
	if wanted == nil || e.principal == nil || e.principal.TokenType != SessionToken {
		return ""
	}
	text, reason, cause := e.policy.deps.Tokens.Token(e.ctx, e.principal, wanted.Template, e.now)
	if reason == "" && isTokenText(text) {
		e.minted = append(e.minted, wanted.bearer(text))
		e.trace.add("upstream token", "", wanted.Template)
		return ""
	}
	reason, e.cause = refusal(reason, ReasonClerkUnavailable), cause
	e.trace.add("upstream token", string(reason), wanted.Template)
	if e.rule.access == Public {
		e.principal = nil
		return ""
	}
	return reason
}

// wantedToken is the token of the first rule that wants one; nil for none.
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

// assert signs who asks.
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
	e.minted = append(e.minted, Header{header, text})
	e.trace.add("assertion", "", header)
	return ""
}

// substitute puts what was minted in the place of the user's credentials, and
// removes those if they are not to be forwarded.
func (e *evaluation) substitute(d *Decision) {
	strips := e.strips()
	if !strips && len(e.minted) == 0 {
		return
	}
	const room = 4                                                                    // for two headers that were minted, and two that are stripped
	d.SetHeaders = append(make([]Header, 0, len(d.SetHeaders)+room), d.SetHeaders...) // what it was is shared
	d.RemoveHeaders = append(make([]string, 0, len(d.RemoveHeaders)+room), d.RemoveHeaders...)
	if strips {
		e.stripAuthorization(d)
		e.stripCookies(d)
	}
	for _, h := range e.minted {
		d.setUpstream(h)
	}
}

// strips reports whether a rule, or the policy where none was reached, keeps the
// user's credentials from the upstream.
func (e *evaluation) strips() bool {
	if e.rule == nil {
		return e.policy.strip
	}
	return e.rule.strip || slices.ContainsFunc(e.also, func(r *rule) bool { return r.strip })
}

// stripAuthorization removes the Authorization field if it holds a token.
func (e *evaluation) stripAuthorization(d *Decision) {
	for _, h := range e.request.Headers {
		if strings.EqualFold(h.Name, authorizationHeader) && holdsToken(h.Value) {
			d.removeUpstream(authorizationHeader)
			return
		}
	}
}

// holdsToken reports whether an Authorization field is of scheme Bearer, or a
// token without a scheme. Fields of other schemes are the application's.
func holdsToken(authorization string) bool {
	authorization = strings.Trim(authorization, " \t")
	end := strings.IndexAny(authorization, " \t")
	return end < 0 || strings.EqualFold(authorization[:end], "Bearer")
}

// stripCookies removes Clerk's cookies from those that the upstream would
// receive: the renewed ones, where there are some, else what the client sent.
func (e *evaluation) stripCookies(d *Decision) {
	var fields []string
	switch i := slices.IndexFunc(d.SetHeaders, isCookie); {
	case i >= 0:
		fields = []string{d.SetHeaders[i].Value}
	case !containsName(d.RemoveHeaders, "Cookie"):
		for _, h := range e.request.Headers {
			if isCookie(h) {
				fields = append(fields, h.Value)
			}
		}
	}
	switch kept, changed := withoutClerkCookies(fields); {
	case !changed:
	case kept == "":
		d.removeUpstream("Cookie")
	default:
		d.setUpstream(Header{"Cookie", kept})
	}
}

func isCookie(h Header) bool { return strings.EqualFold(h.Name, "Cookie") }

// setUpstream sets a request header in place of every other edit of that name,
// in lists that are the decision's own.
func (d *Decision) setUpstream(h Header) {
	d.leaveUpstream(h.Name)
	d.SetHeaders = append(d.SetHeaders, h)
}

// removeUpstream removes a request header, likewise.
func (d *Decision) removeUpstream(name string) {
	d.leaveUpstream(name)
	d.RemoveHeaders = append(d.RemoveHeaders, name)
}

// leaveUpstream takes back every edit of a header.
func (d *Decision) leaveUpstream(name string) {
	d.SetHeaders = slices.DeleteFunc(d.SetHeaders, func(h Header) bool { return strings.EqualFold(h.Name, name) })
	d.RemoveHeaders = slices.DeleteFunc(d.RemoveHeaders, func(n string) bool { return strings.EqualFold(n, name) })
}
