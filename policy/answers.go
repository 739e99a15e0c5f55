package policy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// decision turns the verdict into what the proxy is to do.
func (e *evaluation) decision(v verdict) Decision {
	watches := e.policy.shadow || e.rule != nil && e.rule.shadow
	switch {
	case (v.passes || watches) && e.leavesTunnel():
		return e.refused(ReasonUpgradeRefused)
	case v.passes:
		return e.passed(v.reason)
	case !watches:
		return e.refused(v.reason)
	}
	refused := e.refused(v.reason)
	d := e.passed(ReasonShadow)
	d.Shadow = &refused
	return d
}

// passed forwards the request with the identity that was established.
func (e *evaluation) passed(reason Reason) Decision {
	d := e.common(reason)
	d.Outcome = Allow
	if e.request.Unseen {
		d.SetHeaders, d.RemoveHeaders = e.policy.headers.editsUnseen(e.principal, e.notForwarded(true), e.facts.isWebSocket(e.request.Method))
	} else {
		d.SetHeaders, d.RemoveHeaders = e.policy.headers.edits(e.principal, e.notForwarded(true))
	}
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

// notForwarded lists the fields of the request that do not go on: those that
// clients may not send, and an Upgrade, unless it passes and is to a WebSocket.
// Where the request was refused before its fields were all read, they are read
// again.
func (e *evaluation) notForwarded(passes bool) []string {
	switch {
	case e.target == nil:
		return e.policy.headers.droppedOf(e.request.Headers)
	case e.facts.upgrades == 0, passes && e.facts.isWebSocket(e.request.Method):
		return e.facts.dropped
	}
	return append(slices.Clip(e.facts.dropped), upgradeHeader, connectionHeader) // which says that there is an Upgrade
}

// leavesTunnel reports whether the proxy would go on with a change of protocol
// although its fields are removed.
func (e *evaluation) leavesTunnel() bool {
	if !e.request.UpgradeStands {
		return false
	}
	if e.target == nil { // the request was refused before all fields were read
		return slices.ContainsFunc(e.request.Headers, func(h Header) bool { return strings.EqualFold(h.Name, upgradeHeader) })
	}
	return e.facts.upgrades > 0 && !e.facts.isWebSocket(e.request.Method)
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
	if e.facts.isGRPC(e.request) {
		d.GRPC = &GRPCStatus{Code: grpcCode(d.Status), Message: reason.Detail()}
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
	if e.rule == nil || e.target == nil || e.facts.isGRPC(e.request) || !e.facts.isNavigation(e.request.Method) {
		return ""
	}
	switch reason.Status() {
	case http.StatusUnauthorized:
		if e.policy.signIn.isPage(e.sent) {
			return "" // or the browser would be sent from there to there
		}
		if to, ok := e.policy.signIn.location(e.sent, e.scheme, reason == ReasonSessionPending); ok && e.rule.accept.Has(SessionToken) {
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
	if _, ok := e.policy.signIn.originOf(e.sent, e.scheme); ok {
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

// add appends a response header.
func (d *Decision) add(name, value string) {
	d.ResponseHeaders = append(d.ResponseHeaders, Header{name, value})
}
