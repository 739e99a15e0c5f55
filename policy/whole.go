package policy

import "github.com/clerkgate/clerkgate/internal/target"

// judgeWhole adds what protects a path as it stands, with the prefix that the
// application removes: a rule that was written with it is not lost. Rules that match
// the path as the application reads it have been judged by that reading, by their
// order there; and as it stands a path opens nothing, nor is it left to the default.
func (p *Policy) judgeWhole(s *selection, method string, t *target.Target, reading string) error {
	if err := p.judgeWholePath(s, method, t, reading); err != nil {
		return err
	}
	for directory := range directoriesOf(reading) {
		if err := p.judgeWholePath(s, method, t, directory); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) judgeWholePath(s *selection, method string, t *target.Target, path string) error {
	var found selection
	first, named, err := p.matchReading(&found, method, t, path)
	if err != nil {
		return err
	}
	if err := p.countVariants(&found, method, t, path); err != nil {
		return err
	}
	for _, r := range []*rule{first, named} {
		found.count(r, path)
	}
	for _, c := range found.counted {
		known, err := c.rule.matchesReading(method, t)
		switch {
		case err != nil:
			return err
		case known || c.rule == p.fallback:
		case c.rule.protects() && (c.rule == first || c.rule == named):
			s.add(c.rule)
		case c.rule.limited():
			s.count(c.rule, c.path)
		}
	}
	return nil
}

// matchesReading reports whether the rule matches a path, or would if it protected, as
// the application reads it.
func (r *rule) matchesReading(method string, t *target.Target) (bool, error) {
	if !r.counting.matchesRequest(method, t) {
		return false, nil
	}
	for _, reading := range t.Readings {
		if matched, err := r.counting.covers(reading); matched || err != nil {
			return matched, err
		}
		for directory := range directoriesOf(reading) {
			if matched, err := r.counting.covers(directory); matched || err != nil {
				return matched, err
			}
		}
	}
	return false, nil
}

// covers reports whether a rule names a path, or what upstreams serve the same.
func (m *matcher) covers(path string) (bool, error) {
	if matched, err := m.matches(path); matched || err != nil {
		return matched, err
	}
	return m.matchesVariant(path)
}
