package policy

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/internal/redact"
	"github.com/clerkgate/clerkgate/policy/internal/answer"
)

// rule is a compiled Rule.
type rule struct {
	name    string
	access  Access
	matcher matcher
	accept  TokenTypes
	// requirement is nil where any principal will do.
	requirement conjunction
	freshness   freshness
	// usesParams: the requirement or a limit reads path parameters.
	usesParams bool
	// suspicious is what the requirement probably does not mean.
	suspicious []Warning
	// early are the limits taken before authentication, late those after.
	early, late []*limit
	// counting is the matcher for its limits, which protect whatever the rule
	// itself is.
	counting  *matcher
	forbidden *OnForbidden
	// token is what the upstream receives for a session; nil for nothing.
	token *UpstreamToken
	// strip: the user's credentials do not reach the upstream.
	strip  bool
	shadow bool
	// slashes: escaped slashes are taken, as separators and as characters.
	slashes bool
	// stale is the answer to a verification that is too old.
	stale *answer.Bodies
	// order is the place in the configuration, strictness what the rule yields
	// to where readings of a target fall under several.
	order, strictness int
}

// asks reports whether the rule needs the principal.
func (r *rule) asks() bool { return r.access == Protected || r.access == Public }

// protects reports whether the rule closes something.
func (r *rule) protects() bool { return r.access == Protected || r.access == DenyAccess }

// ruleCompiler compiles the rules of one policy.
type ruleCompiler struct {
	limits map[string]*limit
	// sessions: Clerk can be asked when a session began.
	sessions bool
	errs     []error
}

func (c *ruleCompiler) errorf(path, suggestion, format string, args ...any) {
	c.errs = append(c.errs, &ConfigError{Path: path, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// compile compiles all rules in order.
func (c *ruleCompiler) compile(config []Rule) []*rule {
	rules := make([]*rule, len(config))
	seen := map[string]int{}
	for i := range config {
		path := fmt.Sprintf("rules[%d]", i)
		rules[i] = c.rule(path, &config[i])
		rules[i].order = i
		name := config[i].Name
		switch first, again := seen[name]; {
		case name == "":
			c.errorf(path, "write name: ...", "the rule has no name")
		case name == defaultRule:
			c.errorf(path+".name", "", "the name %q is reserved for the default", name)
		case name == Unjudged:
			c.errorf(path+".name", "", "the name %q is reserved", name)
		case again:
			c.errorf(path+".name", "give one of them another name", "%s is called %q as well", fmt.Sprintf("rules[%d]", first), name)
		}
		seen[name] = i
	}
	c.exceptStatic(rules)
	return rules
}

func (c *ruleCompiler) rule(path string, config *Rule) *rule {
	r := &rule{name: config.Name, access: config.Access, accept: config.Accept, shadow: c.mode(path+".mode", config.Mode)}
	if r.access == "" {
		r.access = Protected
	}
	if known := []string{string(Protected), string(Public), string(Bypass), string(DenyAccess)}; !slices.Contains(known, string(r.access)) {
		c.errorf(path+".access", didYouMean(string(r.access), known...), "unknown access %q", r.access)
		r.access = DenyAccess
	}
	if len(r.accept) == 0 {
		r.accept = TokenTypes{SessionToken}
	}
	r.matcher = c.matcher(path+".match", &config.Match, r.protects())
	c.conditions(path, config, r)
	c.limitsOf(path, config.Limits, r)
	r.counting = r.matcher.protecting()
	r.slashes = c.slashes(path+".encoded_slashes", config.EncodedSlashes)
	c.forbidden(path+".on_forbidden", config, r)
	r.setStrictness()
	return r
}

func (c *ruleCompiler) mode(path string, mode Mode) bool {
	switch mode {
	case "", Enforce:
		return false
	case Shadow:
		return true
	}
	c.errorf(path, didYouMean(string(mode), string(Enforce), string(Shadow)), "unknown mode %q", mode)
	return false
}

func (c *ruleCompiler) slashes(path, word string) bool {
	switch word {
	case "", "refuse":
		return false
	case "allow":
		return true
	}
	c.errorf(path, didYouMean(word, "allow", "refuse"), "unknown value %q", word)
	return false
}

func (c *ruleCompiler) matcher(path string, config *Match, protects bool) matcher {
	m := matcher{protects: protects, methods: c.methods(path+".method", config.Method)}
	for i, text := range config.Path {
		if wrong := pathpattern.Mistake(text); wrong != nil {
			c.errs = append(c.errs, patternError(fmt.Sprintf("%s.path[%d]", path, i), wrong))
			continue
		}
		pattern, err := pathpattern.Compile(text, pathpattern.Options{})
		if err != nil {
			c.errs = append(c.errs, patternError(fmt.Sprintf("%s.path[%d]", path, i), err))
			continue
		}
		m.paths = append(m.paths, pattern)
		if !protects {
			if pattern, err = pathpattern.Compile(text, pathpattern.Options{MatchCase: true}); err != nil {
				c.errs = append(c.errs, patternError(fmt.Sprintf("%s.path[%d]", path, i), err))
			}
			m.caseSensitive = append(m.caseSensitive, pattern)
		}
		if twin := withoutLastSlash(text); twin != text {
			if pattern, err := pathpattern.Compile(twin, pathpattern.Options{}); err == nil { // else it was no twin
				m.slashless = append(m.slashless, pattern)
			}
		}
	}
	for i, text := range config.Host {
		host, err := compileHost(text)
		if err != nil {
			c.errs = append(c.errs, atPath(fmt.Sprintf("%s.host[%d]", path, i), err))
		}
		m.hosts = append(m.hosts, host)
	}
	if protects {
		m.methods = protectedMethods(m.methods)
	}
	if config.StaticFiles {
		m.static = &staticFiles{}
	}
	if len(config.Path) == 0 && len(config.Host) == 0 && len(config.Method) == 0 && !config.StaticFiles {
		c.errorf(path, `write path: ["/admin(.*)"], or use default: for requests that match no rule`, "the rule has no path, host or method to match")
	}
	return m
}

// methods reads the methods of a rule.
func (c *ruleCompiler) methods(path string, list StringList) []string {
	var methods []string
	for i, text := range list {
		method, ok := readMethod(text)
		if !ok {
			c.errorf(fmt.Sprintf("%s[%d]", path, i), suggestMethod(text), "%q is not a method", text)
		}
		methods = append(methods, method)
	}
	return methods
}

// exceptStatic keeps what rules that protect name from matching as static files. A
// pattern for every path names nothing, unless the rule asks for its parameters:
// /:tenant(.*) with a requirement on :tenant is about files as well.
func (c *ruleCompiler) exceptStatic(rules []*rule) {
	var protected matcher
	for _, r := range rules {
		if !r.protects() {
			continue
		}
		unnamed := func(pattern *pathpattern.Pattern) bool { return !r.usesParams && matchesAllFiles(pattern) }
		protected.paths = append(protected.paths, slices.DeleteFunc(slices.Clone(r.matcher.paths), unnamed)...)
		protected.slashless = append(protected.slashless, slices.DeleteFunc(slices.Clone(r.matcher.slashless), unnamed)...)
	}
	for _, r := range rules {
		if r.matcher.static != nil && !r.protects() {
			r.matcher.static.except = protected
		}
	}
}

func (c *ruleCompiler) conditions(path string, config *Rule, r *rule) {
	if r.access != Protected {
		for key, set := range map[string]bool{"require": config.Require != nil, "freshness": config.Freshness != nil, "on_forbidden": config.OnForbidden != nil} {
			if set {
				c.errorf(path+"."+key, "remove it, or make the rule protected", "a rule with access %q cannot have %s", r.access, key)
			}
		}
		return
	}
	var errs []error
	r.freshness, errs = compileFreshness(path+".freshness", config.Freshness, c.sessions)
	c.errs = append(c.errs, errs...)
	if v := r.freshness.verification; v != nil {
		r.stale = reverificationBodies(*v)
	}
	if config.Require == nil {
		return
	}
	requirements := requirementCompiler{paramNames: commonParams(r.matcher.paths)}
	r.requirement = requirements.compile(path+".require", config.Require)
	r.usesParams = requirements.usesParams
	r.suspicious = requirements.found
	c.errs = append(c.errs, requirements.errs...)
}

// commonParams are the parameters that every pattern has.
func commonParams(patterns []*pathpattern.Pattern) []string {
	if len(patterns) == 0 {
		return nil
	}
	common := slices.Clone(patterns[0].Names())
	for _, pattern := range patterns[1:] {
		common = slices.DeleteFunc(common, func(name string) bool { return !slices.Contains(pattern.Names(), name) })
	}
	return common
}

func (c *ruleCompiler) limitsOf(path string, names StringList, r *rule) {
	for i, name := range names {
		at := fmt.Sprintf("%s.limits[%d]", path, i)
		l, ok := c.limits[name]
		switch {
		case !ok && len(c.limits) == 0:
			c.errorf(at, "write it under limits:", "there is no limit %q", name)
			continue
		case !ok:
			c.errorf(at, didYouMean(name, sortedKeys(c.limits)...), "there is no limit %q", name)
			continue
		case r.access == Bypass || r.access == DenyAccess:
			c.errorf(at, "remove it, or make the rule public", "a rule with access %q cannot have limits", r.access)
		}
		for _, key := range l.keys {
			r.usesParams = r.usesParams || key.param != ""
			if key.param != "" && !slices.Contains(commonParams(r.matcher.paths), key.param) {
				c.errorf(at, "every path of the rule must have it, as in /orgs/:"+key.param, "the limit counts by %q, which the rule's paths do not have", ":"+key.param)
			}
		}
		if l.early {
			r.early = append(r.early, l)
		} else {
			r.late = append(r.late, l)
		}
	}
}

// unnamedLimits reports limits that nothing is counted by.
func (c *ruleCompiler) unnamedLimits(config *Config) {
	if len(c.errs) > 0 {
		return // one of them may be why
	}
	named := slices.Clone(config.Default.Limits)
	for i := range config.Rules {
		named = append(named, config.Rules[i].Limits...)
	}
	for _, name := range sortedKeys(c.limits) {
		if !slices.Contains(named, name) {
			c.errorf("limits."+name, fmt.Sprintf("write limits: [%s] in a rule, or in default", name), "the limit %q is used by no rule", name)
		}
	}
}

func (c *ruleCompiler) forbidden(path string, config *Rule, r *rule) {
	f := config.OnForbidden
	if f == nil {
		return
	}
	switch {
	case (f.Status == 0) == (f.Redirect == ""):
		c.errorf(path, "write status: 404 or redirect: /unauthorized", "set exactly one of status and redirect")
	case f.Status != 0 && f.Status != 403 && f.Status != 404:
		c.errorf(path+".status", "write 403 or 404", "%d is not a status for forbidden requests", f.Status)
	case f.Redirect != "":
		if err := compileRedirect(path+".redirect", f.Redirect); err != nil {
			c.errs = append(c.errs, err)
		}
	}
	r.forbidden = f
}

// patternError carries the position and advice of a bad pattern. Advice is made of the
// pattern, and so might show a part of a secret that got there.
func patternError(path string, err error) error {
	if syntax, ok := errors.AsType[*pathpattern.SyntaxError](err); ok {
		problem := &ConfigError{Path: path, Msg: fmt.Sprintf("bad pattern %q: %s", syntax.Pattern, syntax.Msg)}
		if syntax.Suggestion != "" && redact.Text(syntax.Pattern) == syntax.Pattern {
			problem.Suggestion = "write " + quoted(syntax.Suggestion)
		}
		return problem
	}
	return atPath(path, err)
}

// atPath gives an error its place in the configuration.
func atPath(path string, err error) error {
	if config, ok := errors.AsType[*ConfigError](err); ok {
		return &ConfigError{Path: path + config.Path, Msg: config.Msg, Suggestion: config.Suggestion}
	}
	return &ConfigError{Path: path, Msg: err.Error()}
}

// compileRedirect checks the redirect of an on_forbidden.
func compileRedirect(path, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsAny(text, "\\ \t\r\n"):
		return &ConfigError{Path: path, Msg: fmt.Sprintf("%q is not a URL", text)}
	case u.Host == "" && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//"):
		return nil
	case u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil:
		return nil
	default:
		return &ConfigError{Path: path, Msg: fmt.Sprintf("%q is neither a path of the site nor an absolute URL", text), Suggestion: "write /unauthorized"}
	}
}
