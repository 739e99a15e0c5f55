package policy

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/clerkgate/clerkgate/policy/internal/answer"
)

// pageHeaders keep an answer's page from being framed, sniffed or scripted.
var pageHeaders = []Header{
	{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
	{"X-Content-Type-Options", "nosniff"},
}

// answerHeaders go on everything we answer ourselves: an answer to one caller
// is never an answer to another.
var answerHeaders = []Header{
	{"Cache-Control", "no-store"},
	{"Vary", "Accept, Authorization, Cookie"},
}

// deny answers the client.
func (e *evaluation) deny(reason Reason) Decision {
	reason = denialReason(reason, ReasonNoDecision)
	d := e.common(reason)
	_, d.RemoveHeaders = e.policy.headers.edits(nil, e.notForwarded(false))
	if d.Status >= http.StatusInternalServerError {
		d.Outcome = Error
	}
	d.ResponseHeaders = append(make([]Header, 0, 12), e.state.Headers...)
	for _, h := range answerHeaders {
		if !slices.Contains(e.state.Headers, h) { // a handshake is not to be stored by its own word
			d.ResponseHeaders = append(d.ResponseHeaders, h)
		}
	}
	if d.Status == http.StatusUnauthorized {
		d.add("X-Clerk-Auth-Status", e.authStatus())
		d.add("X-Clerk-Auth-Reason", string(reason))
	}
	if to := e.redirect(reason); to != "" {
		d.Outcome, d.Status = Redirect, http.StatusTemporaryRedirect
		if locationOf(e.state.Headers) == "" {
			d.add("Location", to)
		}
		return d
	}
	if d.Cause == nil && d.Status == http.StatusUnauthorized {
		d.Cause = e.strangeHost()
	}
	d.ResponseHeaders = append(d.ResponseHeaders, limitFields(e.limits, reason == ReasonRateLimited)...)
	switch d.Status {
	case http.StatusUnauthorized:
		d.ResponseHeaders = append(d.ResponseHeaders, challenge(reason, e.state.Presented))
	case http.StatusServiceUnavailable:
		d.add("Retry-After", "5")
	}
	e.answer(&d, reason)
	return d
}

// answer adds the body, or for a gRPC client the status.
func (e *evaluation) answer(d *Decision, reason Reason) {
	b := bodies()[reason]
	switch {
	case reason == ReasonReverification && e.rule != nil && e.rule.stale != nil:
		b = e.rule.stale
	case d.Status == http.StatusForbidden && e.rule != nil && e.rule.forbidden != nil && e.rule.forbidden.Status == http.StatusNotFound:
		d.Status, b = http.StatusNotFound, bodies()[ReasonNotFound]
	case reason == ReasonRateLimited && e.exceeded != "":
		b = e.policy.limitBodies[e.exceeded]
	}
	if e.facts.isGRPC(e.request) {
		d.GRPC = &GRPCStatus{Code: grpcCode(d.Status), Message: reason.Detail()}
		return
	}
	d.addBody(b, e.facts.accept)
}

// redirect returns where the browser is sent instead, or "".
func (e *evaluation) redirect(reason Reason) string {
	if to := locationOf(e.state.Headers); to != "" {
		return to
	}
	if e.rule == nil || e.target == nil || e.facts.isGRPC(e.request) || !e.facts.isNavigation(e.request.Method) {
		return ""
	}
	switch reason.Status() {
	case http.StatusUnauthorized:
		if e.policy.signIn.isPage(e.returnTarget) {
			return "" // or the browser would be sent from there to there
		}
		if to, ok := e.policy.signIn.location(e.returnTarget, e.scheme, reason == ReasonSessionPending); ok && e.rule.accept.Has(SessionToken) {
			return to
		}
	case http.StatusForbidden:
		if e.rule.forbidden != nil && reason != ReasonReverification {
			return e.rule.forbidden.Redirect
		}
	}
	return ""
}

// strangeHost is the cause where a browser would be sent to sign in from a host of
// the site.
func (e *evaluation) strangeHost() error {
	if e.rule == nil || e.target == nil || !e.rule.accept.Has(SessionToken) || e.facts.isGRPC(e.request) || !e.facts.isNavigation(e.request.Method) {
		return nil
	}
	if _, ok := e.policy.signIn.originOf(e.returnTarget, e.scheme); ok {
		return nil
	}
	return StrangeHost{Host: e.request.Host}
}

// StrangeHost is the cause of a refusal that no browser is redirected by, where the
// host of the page is none of the site's.
type StrangeHost struct{ Host string }

// Error implements [error].
func (s StrangeHost) Error() string {
	return fmt.Sprintf("the browser is not redirected: the host %.255q is not in authorized_parties", s.Host)
}

func (e *evaluation) authStatus() string {
	if e.state.Status == Handshake {
		return "handshake"
	}
	return "signed-out"
}

// Denial is the decision of a host that has no request to show to a policy, or no
// policy: it denies, for a reason of its own. A reason that allows is [ReasonPanic].
func Denial(reason Reason) Decision {
	reason = denialReason(reason, ReasonPanic)
	d := Decision{Status: reason.Status(), Reason: reason, ResponseHeaders: slices.Clone(answerHeaders)}
	if d.Status >= http.StatusInternalServerError {
		d.Outcome = Error
	}
	d.addBody(bodies()[reason], "")
	return d
}

// addBody adds the body in the form that a client accepts.
func (d *Decision) addBody(b *answer.Bodies, accept string) {
	if b == nil {
		b = bodies()[ReasonPanic]
	}
	var contentType string
	d.Body, contentType = b.Negotiate(accept)
	d.add("Content-Type", contentType)
	d.ResponseHeaders = append(d.ResponseHeaders, pageHeaders...)
}

// bodies are the answers for all reasons.
var bodies = sync.OnceValue(func() map[Reason]*answer.Bodies {
	all := make(map[Reason]*answer.Bodies, len(reasons))
	for reason := range reasons {
		all[reason] = answer.New(reason.Status(), reason.Detail(), string(reason))
	}
	return all
})

// reverificationBodies is the answer that Clerk's front end understands.
func reverificationBodies(v verification) *answer.Bodies {
	r := ReasonReverification
	return answer.NewReverification(r.Status(), r.Detail(), string(r), v.preset, v.level, v.minutes)
}

func limitBodies(name string) *answer.Bodies {
	r := ReasonRateLimited
	return answer.NewQuotaExceeded(r.Status(), r.Detail(), string(r), name)
}

// challenge is the WWW-Authenticate field of a 401 (RFC 6750 § 3).
func challenge(reason Reason, presented bool) Header {
	value := `Bearer realm="clerk"`
	if presented {
		value += `, error="invalid_token", error_description="` + string(reason) + `"`
	}
	return Header{"WWW-Authenticate", value}
}
