package policy

import (
	"net/http"
	"strings"
)

// evaluation is one decision in the making.
type evaluation struct {
	subject
	policy *Policy
	facts  facts
	// readTarget is where subject.target points.
	readTarget target
	scheme     string
	state      AuthState
	// also are the other guarding rules that a reading of the target meets.
	also   []*rule
	limits []LimitResult
	// minted are the headers made for this request.
	minted []Header
	// refusedLimit is the limit that refused.
	refusedLimit string
	cause        error
	trace        *Trace
}

// verdict is the outcome of judging. The zero verdict refuses.
type verdict struct {
	passes bool
	reason Reason
}

func pass(reason Reason) verdict { return verdict{true, reason} }

func refuse(reason Reason) verdict { return verdict{false, reason} }

// readRequest computes the canonical target and the client address, and gathers
// what the fields say.
func (e *evaluation) readRequest() Reason {
	p, r := e.policy, e.request
	if !validHeaderName(r.Method) {
		return ReasonMethodMalformed
	}
	var reason Reason
	if e.facts, reason = readHeaders(r.Headers, p.headers); reason != "" {
		return reason
	}
	e.scheme = r.Scheme
	if p.trusted.contain(r.Peer.Unmap()) && (e.facts.forwardedProto == "https" || e.facts.forwardedProto == "http") {
		e.scheme = e.facts.forwardedProto
	}
	if e.client = p.trusted.client(r.Peer, e.facts.forwardedFor); len(p.trusted) == 0 && r.Client.IsValid() {
		e.client = ClientAddr{r.Client.Unmap().WithZone("")}
	}
	if e.readTarget, reason = parseTarget(r.Target, r.Host, e.scheme); reason != "" {
		return reason
	}
	e.target = &e.readTarget
	e.trace.add("target", e.target.readings[0], "")
	return ""
}

// selectRule finds the rules, and the path parameters where they are read. A
// rule named by the proxy's route may take the place of those that match, but
// not open what they guard.
func (e *evaluation) selectRule() Reason {
	selected, err := e.policy.match(e.request.Method, e.target)
	if err != nil {
		e.cause = err
		return ReasonMatchTimeout
	}
	if name := e.request.RuleName; name != "" {
		named, ok := e.policy.byName[name]
		if !ok {
			return ReasonUnknownRule
		}
		if named.guards() || !selected.rule.guards() {
			selected = selection{rule: named}
		}
	}
	e.rule, e.also = selected.rule, selected.also
	return e.everyRule(func(r *rule) Reason {
		e.trace.add("rule", r.name, string(r.access))
		return e.readParams(r)
	})
}

// readParams reads the path parameters of a rule that uses them. Readings that
// disagree, and rules that do, are too ambiguous to judge by them.
func (e *evaluation) readParams(r *rule) Reason {
	if !r.usesParams {
		return ""
	}
	params, same := r.matcher.params(e.target)
	if !same || r != e.rule {
		return ReasonTargetAmbiguous
	}
	e.params = params
	return ""
}

// everyRule takes a step for every rule that was selected. The one that refuses
// is the one reported.
func (e *evaluation) everyRule(step func(*rule) Reason) Reason {
	if reason := step(e.rule); reason != "" {
		return reason
	}
	for _, r := range e.also {
		if reason := step(r); reason != "" {
			e.rule = r
			return reason
		}
	}
	return ""
}

// accepts reports whether every rule takes tokens of a type.
func (e *evaluation) accepts(t TokenType) bool {
	return e.everyRule(func(r *rule) Reason {
		if !r.accept.Has(t) {
			return ReasonTokenType
		}
		return ""
	}) == ""
}

// authenticate establishes the principal. A public rule takes whoever comes,
// with an identity if there is one that holds.
func (e *evaluation) authenticate() Reason {
	e.state = e.policy.deps.Authenticator.Authenticate(e.ctx, e.asMade(), e.rule.accept, e.now)
	e.cause = e.state.Cause
	reason := e.signedOut()
	if reason == "" {
		e.principal = e.state.Principal
		reason = e.revoked()
	}
	e.trace.add("authenticate", string(reason), "")
	if e.rule.access == Public && locationOf(e.state.Headers) == "" {
		return ""
	}
	return reason
}

// asMade is the request as the client made it: by its scheme and its target.
func (e *evaluation) asMade() *Request {
	sent := e.sent()
	if e.scheme == e.request.Scheme && sent == e.target {
		return e.request
	}
	made := *e.request
	made.Scheme, made.Target = e.scheme, sent.raw
	return &made
}

// sent is the target that redirects lead back to.
func (e *evaluation) sent() *target {
	if e.request.Sent == "" || e.request.Sent == e.request.Target {
		return e.target
	}
	sent, reason := parseTarget(e.request.Sent, e.request.Host, e.scheme)
	if reason != "" {
		return e.target
	}
	return &sent
}

// signedOut returns why nobody is signed in, or "".
func (e *evaluation) signedOut() Reason {
	switch state := &e.state; {
	case locationOf(state.Headers) != "":
		return refusal(state.Reason, ReasonSessionMissing)
	case state.Status == Unavailable:
		return refusal(state.Reason, ReasonKeysUnavailable)
	case state.Status != SignedIn || state.Principal == nil:
		return refusal(state.Reason, ReasonSessionMissing)
	case !e.accepts(state.Principal.TokenType):
		return ReasonTokenType
	}
	return ""
}

// refusal guards against a reason from outside that stands for a pass, or for
// nothing.
func refusal(reason, otherwise Reason) Reason {
	if reason == "" || reason.Status() == http.StatusOK {
		return otherwise
	}
	return reason
}

// revoked forgets a principal whose session has ended before its token.
func (e *evaluation) revoked() Reason {
	if e.policy.deps.Revocations == nil {
		return ""
	}
	reason := e.policy.deps.Revocations.Revoked(e.principal, e.now)
	if reason == "" {
		return ""
	}
	e.principal = nil
	if reason == ReasonClaimsStale {
		e.renew(reason)
	}
	return refusal(reason, ReasonSessionRevoked)
}

// renew has a browser fetch a new token, where the authenticator can do that.
func (e *evaluation) renew(reason Reason) {
	presented := e.state.Presented
	if renewer, ok := e.policy.deps.Authenticator.(Renewer); ok {
		e.state = renewer.Renew(e.ctx, e.asMade(), reason, e.now)
		e.state.Principal, e.state.Presented = nil, presented
	}
}

func (e *evaluation) meetRequirement(r *rule) Reason {
	if r.requirement == nil {
		return ""
	}
	t, reason, cause := r.requirement.check(&e.subject)
	e.cause = cause
	if t == met {
		e.trace.add("require", "", "met")
		return ""
	}
	e.trace.add("require", string(reason), "not met")
	return refusal(reason, ReasonClaimsUndecidable)
}

func (e *evaluation) beFresh(r *rule) Reason {
	if e.principal == nil {
		return ""
	}
	reason, cause := r.freshness.stale(&e.subject)
	e.cause = cause
	e.trace.add("freshness", string(reason), "")
	return reason
}

func locationOf(headers []Header) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Location") {
			return h.Value
		}
	}
	return ""
}
