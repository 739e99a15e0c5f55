package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/target"
)

// selection is what a request is judged by: the rule that decides, and the
// other rules that protect, and that have to allow it as well. A path with one reading
// seldom has others.
type selection struct {
	rule *rule
	also []*rule
	// counted are rules whose limits count although they do not decide.
	counted []counted
}

// counted is a rule and the path that it matches.
type counted struct {
	rule *rule
	path string
}

// match judges every reading of the target by the first rule that matches it, and
// keeps the strictest: whichever of the readings an upstream serves, its rule
// was satisfied. So a request is open only if all of its readings are.
func (p *Policy) match(method string, t *target.Target) (selection, error) {
	var s selection
	for _, reading := range t.Readings {
		if err := p.judgeReading(&s, method, t, reading); err != nil {
			return selection{}, err
		}
		if err := p.countVariants(&s, method, t, reading); err != nil {
			return selection{}, err
		}
	}
	for _, reading := range t.Whole {
		if err := p.judgeWhole(&s, method, t, reading); err != nil {
			return selection{}, err
		}
	}
	return s, nil
}

// judgeReading adds the rules of one reading. An index document is also judged as
// the directory it is served for: a rule that protects the one protects the other, and
// one that no rule names is opened by what opens its directory.
func (p *Policy) judgeReading(s *selection, method string, t *target.Target, reading string) error {
	first, named, err := p.matchReading(s, method, t, reading)
	if err != nil {
		return err
	}
	for directory := range directoriesOf(reading) {
		closing, opening, err := p.matchReading(s, method, t, directory)
		switch {
		case err != nil:
			return err
		case closing.protects() && closing != p.fallback:
			s.add(closing)
		case first == p.fallback && !opening.protects() && reading == directory+"index.html":
			first, named = opening, opening
		}
	}
	s.add(first)
	s.add(named)
	if named.limited() && (named != s.rule || len(t.Readings) > 1) { // it may not decide in the end
		s.count(named, reading)
	}
	return nil
}

// matchReading returns the first rule that matches one reading, and the first that
// does so as it is written. They differ where a rule that protects also covers
// what upstreams serve the same, such as /report.csv beside /report, and a later
// rule names just that. The default gives way to either. Limits protect, too: those of
// a rule that opens count wherever it would match if it protected.
func (p *Policy) matchReading(s *selection, method string, t *target.Target, reading string) (first, named *rule, err error) {
	for _, r := range p.rules {
		matched, err := r.matches(method, t, reading)
		if matched && err == nil {
			return cmp.Or(first, r), r, nil
		}
		switch {
		case err != nil:
		case r.protects():
			if first == nil && r.matcher.matchesRequest(method, t) {
				if matched, err = r.matcher.matchesVariant(reading); matched {
					first = r
				}
			}
		case r.limited():
			if matched, err = r.counts(method, t, reading); matched {
				s.count(r, reading)
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("matching rule %q: %w", r.name, err)
		}
	}
	first = cmp.Or(first, p.fallback)
	return first, first, nil
}

// countVariants adds the rules whose limits count for what upstreams may serve
// the same as a reading, each by the first rule that matches it as it is written.
func (p *Policy) countVariants(s *selection, method string, t *target.Target, reading string) error {
	if !p.limited {
		return nil
	}
	for variant := range variantsOf(reading) {
		for _, r := range p.rules {
			decides, err := r.matches(method, t, variant)
			if err == nil && r.limited() {
				var matched bool
				if matched, err = r.countsVariant(method, t, variant); matched {
					s.count(r, variant)
				}
			}
			if err != nil {
				return fmt.Errorf("matching rule %q: %w", r.name, err)
			}
			if decides {
				break
			}
		}
	}
	return nil
}

// matches reports whether the rule matches a path as it is written.
func (r *rule) matches(method string, t *target.Target, path string) (bool, error) {
	if !r.matcher.matchesRequest(method, t) {
		return false, nil
	}
	return r.matcher.matches(path)
}

// counts reports whether the limits of a rule count for a path: in any letter
// case, for HEAD as for GET, and at every port.
func (r *rule) counts(method string, t *target.Target, path string) (bool, error) {
	if !r.counting.matchesRequest(method, t) {
		return false, nil
	}
	if matched, err := r.counting.matches(path); matched || err != nil {
		return matched, err
	}
	return matchesAny(r.counting.slashless, path)
}

// countsVariant is counts for a variant. What matches files with extensions by itself
// leaves out on purpose those that it does not: see matchesBare.
func (r *rule) countsVariant(method string, t *target.Target, variant string) (bool, error) {
	matched, err := r.counts(method, t, variant)
	if !matched || err != nil || strings.HasSuffix(variant, "/") {
		return matched, err
	}
	withExtension, err := r.counts(method, t, variant+someExtension)
	return !withExtension, err
}

// limited reports whether the rule has limits.
func (r *rule) limited() bool { return len(r.early)+len(r.late) > 0 }

// add adds one more rule. Of rules that are equally strict the
// first in the configuration decides.
func (s *selection) add(r *rule) {
	switch {
	case s.rule == nil || r.strictness > s.rule.strictness:
		s.rule, s.also = r, nil
	case r == s.rule || r.strictness < s.rule.strictness || slices.Contains(s.also, r):
	case r.order < s.rule.order:
		s.rule, s.also = r, append(s.also, s.rule)
	default:
		s.also = append(s.also, r)
	}
}

// acceptsSlashes reports whether every rule that was selected accepts escaped slashes.
func (s *selection) acceptsSlashes() bool {
	return s.rule.slashes && !slices.ContainsFunc(s.also, func(r *rule) bool { return !r.slashes })
}

// count has the limits of a rule count, once for each path.
func (s *selection) count(r *rule, path string) {
	if c := (counted{r, path}); !slices.Contains(s.counted, c) {
		s.counted = append(s.counted, c)
	}
}

// The strictness of rules, as far as it is known without judging. A rule in
// shadow mode allows everything.
const (
	strictBypass = iota
	strictPublic
	strictShadow
	strictProtected
	strictDeny
)

// setStrictness is called once, when the rule is compiled.
func (r *rule) setStrictness() {
	switch {
	case r.access == Bypass:
		r.strictness = strictBypass
	case r.access == Public:
		r.strictness = strictPublic
	case r.shadow:
		r.strictness = strictShadow
	case r.access == DenyAccess:
		r.strictness = strictDeny
	default:
		r.strictness = strictProtected
	}
}
