package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// selection is what a request is judged by: the rule that decides, and the
// other guarding rules that it has to satisfy as well. A path with one reading
// seldom has others.
type selection struct {
	rule *rule
	also []*rule
}

// match judges every reading of the target by the first rule it meets, and
// keeps the strictest: whichever of the readings an upstream serves, its rule
// was satisfied. So a request is open only if all of its readings are.
func (p *Policy) match(method string, t *target) (selection, error) {
	var s selection
	for _, reading := range t.readings {
		first, named, err := p.matchReading(method, t, reading)
		if err != nil {
			return selection{}, err
		}
		s.add(first)
		s.add(named)
	}
	return s, nil
}

// matchReading returns the first rule that meets one reading, and the first
// that does so as it is written. They differ where a guarding rule also covers
// what upstreams serve the same, such as /report.csv beside /report, and a later
// rule names just that. The default gives way to either.
func (p *Policy) matchReading(method string, t *target, reading string) (first, named *rule, err error) {
	for _, r := range p.rules {
		if !r.matcher.takes(method, t) {
			continue
		}
		met, err := r.matcher.meets(reading)
		if met && err == nil {
			return cmp.Or(first, r), r, nil
		}
		if first == nil && err == nil && r.guards() {
			if met, err = r.matcher.meetsVariant(reading); met {
				first = r
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("matching rule %q: %w", r.name, err)
		}
	}
	first = cmp.Or(first, p.fallback)
	return first, first, nil
}

// add takes one more rule into account. Of rules that are equally strict the
// first in the configuration decides.
func (s *selection) add(r *rule) {
	switch {
	case s.rule == nil || r.strictness > s.rule.strictness:
		*s = selection{rule: r}
	case r == s.rule || r.strictness < s.rule.strictness || slices.Contains(s.also, r):
	case r.order < s.rule.order:
		s.rule, s.also = r, append(s.also, s.rule)
	default:
		s.also = append(s.also, r)
	}
}

// The strictness of rules, as far as it can be told without judging. A rule in
// shadow mode lets everything pass.
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
