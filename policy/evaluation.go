package policy

import (
	"net/http"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/internal/target"
)

// evaluation is one decision in the making.
type evaluation struct {
	subject
	policy *Policy
	facts  facts
	// readTarget is where subject.target points.
	readTarget target.Target
	// returnTarget is what redirects lead back to: the target that the client sent.
	returnTarget *target.Target
	scheme       string
	state        AuthState
	// also are the other protecting rules that a reading of the target matches, and
	// alsoParams the path parameters of each where some rule uses them.
	also       []*rule
	alsoParams []pathpattern.Params
	// counted are rules whose limits count as well.
	counted []counted
	limits  []LimitResult
	// issued are the headers made for this request.
	issued []Header
	// exceeded is the limit that refused.
	exceeded string
	cause    error
	trace    *Trace
	// judged says which paths are to be judged; nil for all.
	judged func(path string) bool
}

// verdict is the outcome of judging. The zero verdict denies.
type verdict struct {
	allows bool
	reason Reason
}

func allow(reason Reason) verdict { return verdict{true, reason} }

func deny(reason Reason) verdict { return verdict{false, reason} }

// decision turns the verdict into what the proxy is to do.
func (e *evaluation) decision(v verdict) Decision {
	watches := e.policy.shadow || e.rule != nil && e.rule.shadow
	switch {
	case (v.allows || watches) && e.leavesTunnel():
		return e.deny(ReasonUpgradeRefused)
	case (v.allows || watches) && e.keepsReserved():
		return e.deny(ReasonHeaderReserved)
	case v.allows:
		d := e.allow(v.reason)
		e.sendBack(&d)
		return d
	case !watches:
		return e.deny(v.reason)
	}
	refused := e.deny(v.reason)
	d := e.allow(ReasonShadow)
	d.Shadow = &refused
	return d
}

// common fills in what every decision has.
func (e *evaluation) common(reason Reason) Decision {
	d := Decision{Status: reason.Status(), Reason: reason, Principal: e.principal, Client: e.client, Limits: e.limits, Cause: e.cause}
	if e.rule != nil {
		d.Rule = e.rule.name
	}
	return d
}

// add appends a response header.
func (d *Decision) add(name, value string) {
	d.ResponseHeaders = append(d.ResponseHeaders, Header{name, value})
}

// readRequest computes the canonical target and the client address, and gathers
// what the fields say.
func (e *evaluation) readRequest() Reason {
	p, r := e.policy, e.request
	reason := checkMethod(r.Method)
	if reason != "" {
		return reason
	}
	if reason := e.facts.readHeaders(r.Headers, p.headers, p.believes(r)); reason != "" {
		return reason
	}
	e.scheme = r.Scheme
	if p.trusted.contain(r.Peer.Unmap()) && (e.facts.forwardedProto == "https" || e.facts.forwardedProto == "http") {
		e.scheme = e.facts.forwardedProto
	}
	if e.client = p.trusted.client(r.Peer, e.facts.forwardedFor); len(p.trusted) == 0 && r.Client.IsValid() {
		e.client = ClientAddr{r.Client.Unmap().WithZone("")}
	}
	var err error
	if e.readTarget, err = target.Parse(r.Target, r.Host, e.scheme, p.mount); err != nil {
		return targetReason(err)
	}
	e.target, e.returnTarget = &e.readTarget, &e.readTarget
	if reason := e.readSent(); reason != "" {
		e.target = nil
		return reason
	}
	e.trace.add("target", e.target.Readings[0], "")
	return ""
}

// readSent reads the target that the client sent, where the proxy forwards another.
// There are upstreams that go by either, so that the readings of one are those of
// the other.
func (e *evaluation) readSent() Reason {
	if e.request.OriginalTarget == "" || e.request.OriginalTarget == e.request.Target {
		return ""
	}
	sent, err := target.Parse(e.request.OriginalTarget, e.request.Host, e.scheme, e.policy.mount)
	if err != nil {
		return targetReason(err)
	}
	e.returnTarget, e.target.SentQuery = &sent, &sent.Query
	e.target.EscapedSlashes = e.target.EscapedSlashes || sent.EscapedSlashes
	e.target.Readings = e.target.Readings.With(sent.Readings)
	e.target.Whole = e.target.Whole.With(sent.Whole)
	return ""
}

// selectRule finds the rules, and the path parameters where they are read. A rule
// named by the proxy's route is one more.
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
		if selected.rule.limited() {
			selected.count(selected.rule, e.target.Readings[0])
		}
		selected.add(named)
	}
	if e.target.EscapedSlashes && !selected.acceptsSlashes() {
		return ReasonTargetAmbiguous
	}
	e.rule, e.also, e.counted = selected.rule, selected.also, selected.counted
	return e.readParams()
}

// readParams reads the path parameters of the rules that use them. Readings that
// disagree are too ambiguous to judge by them.
func (e *evaluation) readParams() Reason {
	for i := -1; i < len(e.also); i++ {
		r := e.rule
		if i >= 0 {
			r = e.also[i]
		}
		e.trace.add("rule", r.name, string(r.access))
		if !r.usesParams {
			continue
		}
		params, same := r.matcher.params(e.target)
		switch {
		case !same:
			return ReasonTargetAmbiguous
		case i < 0:
			e.params = params
		default:
			if e.alsoParams == nil {
				e.alsoParams = make([]pathpattern.Params, len(e.also))
			}
			e.alsoParams[i] = params
		}
	}
	return ""
}

// everyRule runs a step for every rule that was selected, with its path
// parameters. The rule that denies is the one reported.
func (e *evaluation) everyRule(step func(*rule) Reason) Reason {
	if reason := step(e.rule); reason != "" {
		return reason
	}
	own := e.params
	defer func() { e.params = own }()
	for i, r := range e.also {
		if e.params = nil; e.alsoParams != nil {
			e.params = e.alsoParams[i]
		}
		if reason := step(r); reason != "" {
			e.rule = r
			return reason
		}
	}
	return ""
}

// bypass allows a request without judging it, but for the limits of the other rules
// that a reading matches.
func (e *evaluation) bypass() verdict {
	if reason := e.takeLimits(func(r *rule) []*limit { return r.late }); reason != "" {
		return deny(reason)
	}
	return allow(ReasonBypass)
}

// accepts reports whether every rule accepts tokens of a type.
func (e *evaluation) accepts(t TokenType) bool {
	return e.everyRule(func(r *rule) Reason {
		if !r.accept.Has(t) {
			return ReasonTokenType
		}
		return ""
	}) == ""
}

// authenticate establishes the principal. A public rule allows anonymous requests; a
// valid credential still sets the identity.
func (e *evaluation) authenticate() Reason {
	e.state = e.policy.deps.Authenticator.Authenticate(e.ctx, e.clientRequest(), e.rule.accept, e.now)
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

// clientRequest is the request as the client made it: by its scheme, its target and its
// address.
func (e *evaluation) clientRequest() *Request {
	address := e.request.Client
	if !address.IsValid() {
		address = e.request.Peer
	}
	if e.scheme == e.request.Scheme && e.returnTarget == e.target && e.client.Addr == address.Unmap().WithZone("") {
		return e.request
	}
	made := *e.request
	made.Scheme, made.Target, made.Client = e.scheme, e.returnTarget.Raw, e.client.Addr
	return &made
}

// signedOut returns why the request is anonymous, or "".
func (e *evaluation) signedOut() Reason {
	switch state := &e.state; {
	case locationOf(state.Headers) != "":
		return denialReason(state.Reason, ReasonSessionMissing)
	case state.Status == Unavailable:
		return denialReason(state.Reason, ReasonKeysUnavailable)
	case state.Status != SignedIn || state.Principal == nil:
		return denialReason(state.Reason, ReasonSessionMissing)
	case !e.accepts(state.Principal.TokenType):
		return ReasonTokenType
	}
	return ""
}

// denialReason is a reason from outside, unless that is of a request that is allowed,
// or none.
func denialReason(reason, otherwise Reason) Reason {
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
	return denialReason(reason, ReasonSessionRevoked)
}

// renew has a browser fetch a new token, where the authenticator can do that.
func (e *evaluation) renew(reason Reason) {
	presented := e.state.Presented
	if renewer, ok := e.policy.deps.Authenticator.(Renewer); ok {
		e.state = renewer.Renew(e.ctx, e.clientRequest(), reason, e.now)
		e.state.Principal, e.state.Presented = nil, presented
	}
}

func (e *evaluation) checkRequirement(r *rule) Reason {
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
	return denialReason(reason, ReasonClaimsUndecidable)
}

func (e *evaluation) checkFreshness(r *rule) Reason {
	if e.principal == nil {
		return ""
	}
	reason, cause := r.freshness.stale(&e.subject, e.policy.deps.Sessions)
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
