package jsregexp

// class reads a bracket expression. Case is folded before it is negated, so
// that [^a] takes neither a nor A.
func (p *parser) class() *node {
	p.pos++
	negated := p.skip("^")
	var spans []span
	for p.more() && p.at(0) != ']' {
		spans = append(spans, p.classRange()...)
	}
	if !p.skip("]") {
		p.fail("unterminated character class")
	}
	s := newSet(spans)
	if !p.MatchCase {
		s = s.fold()
	}
	if negated {
		s = s.negate()
	}
	return &node{op: opSet, set: s}
}

// classRange reads one member or a range of them. Where an end of a range is a
// class such as \d, the hyphen is a member like any other.
func (p *parser) classRange() []span {
	from, single := p.classAtom()
	if p.at(0) != '-' || p.at(1) == ']' || p.at(1) == -1 {
		return from
	}
	p.pos++
	to, singleTo := p.classAtom()
	if !single || !singleTo {
		return append(append(from[:len(from):len(from)], span{'-', '-'}), to...)
	}
	if from[0].lo > to[0].lo {
		p.fail("range out of order in character class")
		return nil
	}
	return []span{{from[0].lo, to[0].lo}}
}

// classAtom reads one member: a code unit (single) or a class escape.
func (p *parser) classAtom() (_ []span, single bool) {
	u := p.at(0)
	p.pos++
	if u == '\\' {
		if s, ok := p.classEscape(); ok {
			return s, false
		}
		if p.skip("b") {
			u = '\b'
		} else {
			u = p.characterEscape(true)
		}
	}
	return []span{{u, u}}, true
}
