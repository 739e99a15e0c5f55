package policy

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/clerkgate/clerkgate/internal/target"
	"github.com/clerkgate/clerkgate/policy/internal/answer"
)

// defaultRule is the name under which requests are decided that match no rule.
const defaultRule = "default"

// Policy is a compiled policy. It is immutable and safe for concurrent use.
type Policy struct {
	rules          []*rule
	byName         map[string]*rule
	fallback       *rule
	headers        *headerRules
	trusted        trustedProxies
	mount          *target.Mount
	signIn         *signIn
	limitBodies    map[string]*answer.Bodies
	shadow         bool
	judgePreflight bool
	// limited: some rule, or the default, has limits.
	limited bool
	// strip: credentials do not reach the upstream where no rule was reached.
	strip bool
	// assertionHeader carries the assertion; "" for none.
	assertionHeader string
	// unreached are the rules and patterns that no request can match.
	unreached []unreached
	// ignored are the warnings that are not reported.
	ignored StringList
	deps    Deps
}

// Deps are what a policy needs from outside.
type Deps struct {
	// Authenticator establishes the principal. Required where a rule, or the default,
	// requires one or sets an identity.
	Authenticator Authenticator
	// Limiter counts. Required where there are limits.
	Limiter Limiter
	// Revocations is asked about every principal. Default: none is revoked.
	Revocations Revocations
	// Sessions is asked when a session began, where the token does not say.
	Sessions Sessions
	// Tokens is asked for the tokens that upstreams receive. Required where the
	// configuration has an upstream token.
	Tokens Tokens
	// Assertions signs identity assertions. Required where the configuration has one.
	Assertions Assertions
	// Instance is where to send browsers to sign in.
	Instance Instance
	// Now is the clock. Required.
	Now func() time.Time
}

func (c *ruleCompiler) fallback(config Default) *rule {
	r := &rule{name: defaultRule, access: config.Access, accept: TokenTypes{SessionToken}, order: math.MaxInt}
	switch r.access {
	case "":
		r.access = Protected
	case Protected, Public, DenyAccess:
	default:
		c.errorf("default.access", didYouMean(string(r.access), string(Protected), string(Public), string(DenyAccess)), "unknown access %q", r.access)
	}
	c.limitsOf("default", config.Limits, r)
	r.counting = r.matcher.protecting()
	r.setStrictness()
	return r
}

func (c *ruleCompiler) preflight(text string) bool {
	switch text {
	case "", "pass":
		return false
	case "judge":
		return true
	}
	c.errorf("preflight", didYouMean(text, "pass", "judge"), "unknown value %q", text)
	return true
}

// checkSignIn reports a sign-in page that cannot be reached without being signed in.
func (p *Policy) checkSignIn() []error {
	fail := func(suggestion, format string, args ...any) []error {
		return []error{&ConfigError{Path: "clerk.sign_in_url", Msg: fmt.Sprintf(format, args...), Suggestion: suggestion}}
	}
	path, hosts := p.signIn.ownPage()
	for _, host := range hosts {
		t, err := target.Parse(path, host, "https", p.mount)
		if err != nil {
			return fail("", "the policy refuses the path of the sign-in page: %s", targetReason(err))
		}
		switch met, err := p.match("GET", &t); {
		case err != nil:
			return fail("", "the sign-in page %s: %v", path, err)
		case met.rule.protects():
			return fail("add "+t.Readings[0]+"(.*) to a public rule", "the sign-in page %s is itself protected, by %s, so nobody could sign in", path, met.rule.name)
		}
	}
	return nil
}

// targetReason is the reason for what is wrong with a target.
func targetReason(err error) Reason {
	switch err {
	case nil:
		return ""
	case target.ErrTooLong:
		return ReasonTargetTooLong
	case target.ErrAmbiguous:
		return ReasonTargetAmbiguous
	case target.ErrHost:
		return ReasonHostMalformed
	}
	return ReasonTargetMalformed
}

// Decide judges one request. It never fails: whatever goes wrong denies.
func (p *Policy) Decide(ctx context.Context, r *Request) Decision {
	return p.decide(ctx, r, nil, nil)
}

// evaluations are used again, empty, since they would be most of what a decision
// allocates. Nothing that outlives a decision points into one.
var evaluations = sync.Pool{New: func() any { return new(evaluation) }}

func (p *Policy) decide(ctx context.Context, r *Request, trace *Trace, judged func(path string) bool) (d Decision) {
	e := evaluations.Get().(*evaluation)
	e.policy, e.trace, e.judged, e.ctx, e.request = p, trace, judged, ctx, r
	defer func() {
		if v := recover(); v != nil {
			e.cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			d = e.deny(ReasonPanic)
			return // whatever broke, no other request gets what is left of it
		}
		*e = evaluation{}
		evaluations.Put(e)
	}()
	e.now = p.deps.Now()
	return e.decision(e.judge())
}

// judge runs the steps of a decision, in order. Each returns the reason to deny, or
// "" to go on.
func (e *evaluation) judge() verdict {
	if reason := e.readRequest(); reason != "" {
		return deny(reason)
	}
	if e.leftOut() {
		e.rule = unjudged
		return allow(ReasonBypass)
	}
	if reason := e.selectRule(); reason != "" {
		return deny(reason)
	}
	if e.rule.access == DenyAccess {
		return deny(ReasonRuleDenies)
	}
	if reason := e.takeLimits(func(r *rule) []*limit { return r.early }); reason != "" {
		return deny(reason)
	}
	if !e.policy.judgePreflight && e.facts.isPreflight(e.request.Method) && e.rule.access != Bypass {
		return allow(ReasonPreflight)
	}
	if e.rule.access == Bypass {
		return e.bypass()
	}
	if reason := e.authenticate(); reason != "" {
		return deny(reason)
	}
	if reason := e.everyRule(e.checkRequirement); reason != "" {
		return deny(reason)
	}
	if reason := e.everyRule(e.checkFreshness); reason != "" {
		return deny(reason)
	}
	if reason := e.takeLimits(func(r *rule) []*limit { return r.late }); reason != "" {
		return deny(reason)
	}
	if reason := e.obtainCredentials(); reason != "" {
		return deny(reason)
	}
	if e.cause = e.ctx.Err(); e.cause != nil {
		return deny(ReasonCanceled)
	}
	if e.rule.access == Public {
		return allow(ReasonPublic)
	}
	if e.principal == nil {
		return deny(ReasonNoDecision)
	}
	return allow(ReasonAllowed)
}
