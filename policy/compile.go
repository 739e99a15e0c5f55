package policy

import (
	"errors"
	"slices"

	"github.com/clerkgate/clerkgate/policy/internal/answer"
)

// Available says what a policy will have of its [Deps], for a configuration that
// is checked before there are any.
type Available struct {
	// Sessions, Tokens and Assertions are whether there will be those.
	Sessions, Tokens, Assertions bool
	// Instance is that of the Deps, as far as it is known.
	Instance Instance
}

// Check compiles a configuration that is not to decide yet: without authenticator,
// limiter or clock. It returns what is allowed but probably not meant, and its error
// joins a [*ConfigError] for everything that is wrong.
func Check(config Config, a Available) ([]Warning, error) {
	p, errs := compile(config, a)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return p.Warnings(), nil
}

// New compiles a policy. Its error joins a [*ConfigError] for everything that
// is wrong, and an error for everything that is missing in deps.
func New(config Config, deps Deps) (*Policy, error) {
	p, errs := compile(config, Available{
		Sessions: deps.Sessions != nil, Tokens: deps.Tokens != nil, Assertions: deps.Assertions != nil, Instance: deps.Instance,
	})
	if errs = append(errs, p.wire(deps, len(config.Limits) > 0)...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return p, nil
}

// compile compiles a policy that has nothing to decide with yet. Where there are
// errors, it is not to be used.
func compile(config Config, a Available) (*Policy, []error) {
	limits, errs := compileLimits(config.Limits)
	rules := ruleCompiler{limits: limits, sessions: a.Sessions, errs: errs}
	p := &Policy{limitBodies: map[string]*answer.Bodies{}, byName: map[string]*rule{}, ignored: config.IgnoreWarnings}
	p.rules = rules.compile(config.Rules)
	p.fallback = rules.fallback(config.Default)
	rules.unnamedLimits(&config)
	p.shadow = rules.mode("mode", config.Mode)
	p.judgePreflight = rules.preflight(config.Preflight)
	errs = rules.errs

	var more []error
	p.headers, more = compileHeaders(config.IdentityHeaders)
	errs = append(append(errs, more...), p.compileUpstream(&config, a)...)
	p.headers.unseen = p.headers.namesUnseen()
	p.trusted, more = compileTrustedProxies(config.TrustedProxies)
	errs = append(errs, more...)
	p.mount, more = compileMount(&config)
	errs = append(errs, more...)
	p.signIn, more = compileSignIn(a.Instance)
	errs = append(append(errs, more...), checkIgnored(config.IgnoreWarnings)...)
	p.limited = p.fallback.limited()
	for _, r := range p.rules {
		p.byName[r.name] = r
		p.limited = p.limited || r.limited()
	}
	for name := range limits {
		p.limitBodies[name] = limitBodies(name)
	}
	if len(errs) == 0 {
		errs = append(p.checkSignIn(), p.checkReach()...)
	}
	return p, errs
}

// wire gives the policy what it decides with, and returns what is missing.
func (p *Policy) wire(deps Deps, limited bool) []error {
	p.deps = deps
	var errs []error
	if deps.Now == nil {
		errs = append(errs, errors.New("policy: no clock"))
	}
	if deps.Authenticator == nil && (p.fallback.asks() || slices.ContainsFunc(p.rules, (*rule).asks)) {
		errs = append(errs, errors.New("policy: no authenticator"))
	}
	if limited && deps.Limiter == nil {
		errs = append(errs, errors.New("policy: there are limits, but no limiter"))
	}
	return errs
}
