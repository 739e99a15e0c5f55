package policy

import (
	"net/http"
	"slices"
)

// decision turns the verdict into what the proxy is to do.
func (e *evaluation) decision(v verdict) Decision {
	if v.passes {
		return e.passed(v.reason)
	}
	refused := e.refused(v.reason)
	if e.policy.shadow || e.rule != nil && e.rule.shadow {
		d := e.passed(ReasonShadow)
		d.Shadow = &refused
		return d
	}
	return refused
}

// passed forwards the request with the identity that was established.
func (e *evaluation) passed(reason Reason) Decision {
	d := e.common(reason)
	d.Outcome = Allow
	d.SetHeaders, d.RemoveHeaders = e.policy.headers.edits(e.principal, e.ownedSent())
	if reason != ReasonShadow {
		d.ResponseHeaders = e.state.Headers
		e.forward(&d)
	}
	e.substitute(&d)
	if told := limitFields(e.limits, false); len(told) > 0 {
		d.ResponseHeaders = append(slices.Clip(d.ResponseHeaders), told...)
	}
	return d
}

// ownedSent lists the fields of the request that are ours. Where the request
// was refused before they were all read, it reads them again.
func (e *evaluation) ownedSent() []string {
	if e.target != nil {
		return e.facts.owned
	}
	var owned []string
	for _, h := range e.request.Headers {
		if h.Name != "" && e.policy.headers.isOwned(h.Name) {
			owned = append(owned, h.Name)
		}
	}
	return owned
}

// common fills in what every decision has.
func (e *evaluation) common(reason Reason) Decision {
	d := Decision{Status: reason.Status(), Reason: reason, Principal: e.principal, Client: e.client, Limits: e.limits, Cause: e.cause}
	if e.rule != nil {
		d.Rule = e.rule.name
	}
	return d
}

// refused answers the client.
func (e *evaluation) refused(reason Reason) Decision {
	reason = refusal(reason, ReasonNoDecision)
	d := e.common(reason)
	_, d.RemoveHeaders = e.policy.headers.edits(nil, e.ownedSent())
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

// answer adds the body that suits the client.
func (e *evaluation) answer(d *Decision, reason Reason) {
	b := e.policy.bodies[reason]
	switch {
	case reason == ReasonReverification && e.rule != nil && e.rule.stale != nil:
		b = e.rule.stale
	case d.Status == http.StatusForbidden && e.rule != nil && e.rule.forbidden != nil && e.rule.forbidden.Status == http.StatusNotFound:
		d.Status, b = http.StatusNotFound, e.policy.bodies[ReasonNotFound]
	case reason == ReasonRateLimited && e.refusedLimit != "":
		b = e.policy.limitBodies[e.refusedLimit]
	case b == nil:
		b = e.policy.bodies[ReasonPanic]
	}
	if e.facts.isGRPC() {
		d.GRPC = &GRPCStatus{Code: grpcCodes[d.Status], Message: reason.Detail()}
		return
	}
	var contentType string
	d.Body, contentType = b.negotiate(e.facts.accept)
	d.add("Content-Type", contentType)
	d.ResponseHeaders = append(d.ResponseHeaders, pageHeaders...)
}

// redirect returns where the browser is sent instead, or "".
func (e *evaluation) redirect(reason Reason) string {
	if to := locationOf(e.state.Headers); to != "" {
		return to
	}
	if e.rule == nil || e.target == nil || e.facts.isGRPC() || !e.facts.isNavigation(e.request.Method) {
		return ""
	}
	switch reason.Status() {
	case http.StatusUnauthorized:
		if to, ok := e.policy.signIn.location(e.sent(), e.scheme, reason == ReasonSessionPending); ok && e.rule.accept.Has(SessionToken) {
			return to
		}
	case http.StatusForbidden:
		if e.rule.forbidden != nil && reason != ReasonReverification {
			return e.rule.forbidden.Redirect
		}
	}
	return ""
}

func (e *evaluation) authStatus() string {
	if e.state.Status == Handshake {
		return "handshake"
	}
	return "signed-out"
}

// add appends a response header.
func (d *Decision) add(name, value string) {
	d.ResponseHeaders = append(d.ResponseHeaders, Header{name, value})
}
