package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
)

// unreached is a rule, or one of its patterns, that can decide nothing: rules before
// it match every ordinary request that it could match.
type unreached struct {
	rule    *rule
	pattern int // its index, or wholeRule
	by      []*rule
}

const wholeRule = -1

// path is where what is not reached is written.
func (u unreached) path() string {
	if u.pattern == wholeRule {
		return u.rule.path()
	}
	return fmt.Sprintf("%s.match.path[%d]", u.rule.path(), u.pattern)
}

// protectsNothing reports whether something was to be closed and is open, or is
// closed by less: then it is an error. A pattern that others that protect match first
// merely has no effect.
func (u unreached) protectsNothing() bool {
	return u.rule.protects() && (u.pattern == wholeRule || slices.ContainsFunc(u.by, func(r *rule) bool { return !r.protects() }))
}

func (u unreached) message() (msg, suggestion string) {
	names := make([]string, len(u.by))
	for i, r := range u.by {
		names[i] = quoted(r.name)
	}
	before, verb := "rule "+names[0], "matches"
	if len(names) > 1 {
		before, verb = "rules "+strings.Join(names, ", "), "match"
	}
	what, does := fmt.Sprintf("rule %q", u.rule.name), "decides"
	if u.pattern != wholeRule {
		what = u.rule.matcher.paths[u.pattern].String()
	}
	if u.protectsNothing() {
		does = "protects"
	}
	return fmt.Sprintf("%s %s nothing: %s before it %s every ordinary request that it could match", what, does, before, verb),
		"put the rule before " + names[0] + ", or remove it"
}

// checkReach reports rules that protect nothing, unless the configuration says
// that this is meant: a rule may be there for proxies to name.
func (p *Policy) checkReach() []error {
	p.unreached = p.findUnreached()
	if slices.Contains(p.ignored, WarnRuleUnreachable) {
		return nil
	}
	var errs []error
	for _, u := range p.unreached {
		if u.protectsNothing() {
			msg, suggestion := u.message()
			errs = append(errs, &ConfigError{Path: u.path(), Msg: msg, Suggestion: suggestion})
		}
	}
	return errs
}

func (p *Policy) findUnreached() []unreached {
	var all []unreached
	var before []reach
	for _, r := range p.rules {
		own := newReach(r)
		all = append(all, own.unreached(before)...)
		before = append(before, own)
	}
	return all
}

// reach is what a rule matches of the requests that come to it.
type reach struct {
	rule *rule
	// matched are the paths that the rule matches, one for each pattern; nil for a
	// pattern that cannot be compared.
	matched []*pathpattern.Language
	// meant are the paths that its patterns are about, in the letter case they are
	// written in: that of ordinary requests.
	meant []*pathpattern.Language
}

func newReach(r *rule) reach {
	own := reach{rule: r}
	m := &r.matcher
	for i, pattern := range m.paths {
		written := pattern
		if m.protects {
			written, _ = pathpattern.Compile(pattern.String(), pathpattern.Options{MatchCase: true})
		} else {
			written, pattern = m.caseSensitive[i], m.caseSensitive[i]
		}
		matched, _ := pattern.Language()
		meant, _ := written.Language()
		own.matched, own.meant = append(own.matched, matched), append(own.meant, meant)
	}
	if len(m.paths) == 0 && m.static == nil {
		own.matched, own.meant = append(own.matched, pathpattern.AllPaths()), append(own.meant, pathpattern.AllPaths())
	}
	return own
}

// unreached returns what the rules before leave nothing for.
func (own *reach) unreached(before []reach) []unreached {
	r := own.rule
	cases := own.cases(before)
	if len(r.matcher.paths) == 0 {
		if by, all := coveredIn(cases, pathpattern.AllPaths(), ""); all {
			return []unreached{{r, wholeRule, by}}
		}
		return nil
	}
	var some []unreached
	var byAll []*rule
	for i, pattern := range r.matcher.paths {
		if by, all := coveredIn(cases, own.meant[i], pattern.String()); all {
			some = append(some, unreached{r, i, by})
			byAll = append(byAll, by...)
		}
	}
	if len(some) == len(r.matcher.paths) && r.matcher.static == nil {
		slices.SortFunc(byAll, func(a, b *rule) int { return a.order - b.order })
		return []unreached{{r, wholeRule, slices.Compact(byAll)}}
	}
	return some
}

// cases are the kinds of requests that the rule is for, by method and host, each as
// the rules before it that match requests of that kind.
func (own *reach) cases(before []reach) [][]reach {
	methods, hosts := []string{""}, []hostPattern{{}} // some method, some host that no rule names
	if m := own.rule.matcher.methods; len(m) > 0 {
		methods = m
		if slices.Contains(m, "GET") { // which HEAD goes with
			methods = slices.DeleteFunc(slices.Clone(m), func(method string) bool { return method == "HEAD" })
		}
	}
	if h := own.rule.matcher.hosts; len(h) > 0 {
		hosts = h
	}
	var all [][]reach
	for _, method := range methods {
		for _, host := range hosts {
			var takers []reach
			for _, earlier := range before {
				if earlier.rule.matcher.matchesCase(method, host) {
					takers = append(takers, earlier)
				}
			}
			all = append(all, takers)
		}
	}
	return all
}

// matchesCase reports whether the rule matches every request of a method and a host
// pattern.
func (m *matcher) matchesCase(method string, host hostPattern) bool {
	return (len(m.methods) == 0 || method != "" && m.matchesMethod(method)) &&
		(len(m.hosts) == 0 || slices.ContainsFunc(m.hosts, func(h hostPattern) bool { return h.covers(host, m.protects) }))
}

// covers reports whether h matches every host that other does.
func (h hostPattern) covers(other hostPattern, protects bool) bool {
	if h.port != other.port && !(h.port == "" && protects) || other.name == "" {
		return false
	}
	return h.name == other.name && (h.wild == other.wild) || h.wild && strings.HasSuffix(other.name, "."+h.name)
}

// coveredIn reports whether in every case the rules there match all of some paths,
// and which of them do so first.
func coveredIn(cases [][]reach, meant *pathpattern.Language, text string) (by []*rule, all bool) {
	for _, takers := range cases {
		found, all := covered(takers, meant, text)
		if !all {
			return nil, false
		}
		by = append(by, found...)
	}
	slices.SortFunc(by, func(a, b *rule) int { return a.order - b.order })
	return slices.Compact(by), true
}

func covered(takers []reach, meant *pathpattern.Language, text string) (by []*rule, all bool) {
	var taken []*pathpattern.Language
	for _, taker := range takers {
		if taker.rule.matcher.hasPattern(text) || taker.takesAll(meant) {
			return []*rule{taker.rule}, true
		}
		if taker.overlaps(meant) {
			by, taken = append(by, taker.rule), append(taken, taker.known()...)
		}
	}
	return by, leavesNothing(meant, taken)
}

// hasPattern reports whether the rule has the same pattern, which counts also where
// it has no known language.
func (m *matcher) hasPattern(text string) bool {
	return slices.ContainsFunc(m.paths, func(p *pathpattern.Pattern) bool { return p.String() == text })
}

// known are the languages that are known.
func (own *reach) known() []*pathpattern.Language {
	return slices.DeleteFunc(slices.Clone(own.matched), func(l *pathpattern.Language) bool { return l == nil })
}

func (own *reach) takesAll(meant *pathpattern.Language) bool {
	return leavesNothing(meant, own.known())
}

// overlaps reports whether the rule matches some of what is meant.
func (own *reach) overlaps(meant *pathpattern.Language) bool {
	return meant != nil && slices.ContainsFunc(own.known(), meant.Meets)
}

func leavesNothing(meant *pathpattern.Language, taken []*pathpattern.Language) bool {
	if meant == nil || len(taken) == 0 {
		return false
	}
	_, some, known := meant.Example(taken...)
	return known && !some
}
