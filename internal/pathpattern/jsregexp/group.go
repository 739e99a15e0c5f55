package jsregexp

import (
	"slices"
	"unicode"
)

// group reads a parenthesis and all that is in it.
func (p *parser) group() *node {
	start := p.offsets[p.pos]
	p.pos++
	n := &node{}
	switch {
	case p.skip("?:"):
		n.op = opConcat
	case p.skip("?="):
		n.op = opLook
	case p.skip("?!"):
		n.op, n.negative = opLook, true
	case p.skip("?<="):
		n.op, n.behind = opLook, true
	case p.skip("?<!"):
		n.op, n.behind, n.negative = opLook, true, true
	case p.skip("?<"):
		n.op = opCapture
		n.index = p.capture(start)
		p.bind(p.groupName(), n.index)
	case p.at(0) == '?':
		p.fail("unknown kind of group")
		return n
	default:
		n.op = opCapture
		n.index = p.capture(start)
	}
	if n.op == opLook {
		p.out.regular = false
	}
	if n.op == opCapture {
		p.open = append(p.open, n.index)
		defer func() { p.open = p.open[:len(p.open)-1] }()
	}
	n.subs = []*node{p.disjunction()}
	if !p.skip(")") {
		p.fail("unterminated group")
	}
	return n
}

func (p *parser) capture(start int) int {
	p.out.captures = append(p.out.captures, start)
	return len(p.out.captures)
}

func (p *parser) bind(name string, index int) {
	if _, taken := p.names[name]; taken {
		p.fail("two groups have the same name")
	}
	p.names[name] = index
}

// groupName reads an identifier and the > behind it. Names spelled with \u
// escapes or beyond U+FFFF are refused.
func (p *parser) groupName() string {
	var name []rune
	for p.more() && p.at(0) != '>' {
		u := p.at(0)
		first := u == '$' || u == '_' || unicode.IsLetter(u) || unicode.Is(unicode.Nl, u)
		if !first && (len(name) == 0 || !unicode.IsDigit(u) && !unicode.IsMark(u) && !unicode.Is(unicode.Pc, u)) {
			break
		}
		name = append(name, u)
		p.pos++
	}
	if len(name) == 0 || !p.skip(">") {
		p.fail("invalid group name")
	}
	return string(name)
}

// backref reads the digits of a back-reference, if there are that many groups.
func (p *parser) backref() *node {
	start := p.pos
	index, _ := p.number()
	if index > p.groups {
		p.pos = start
		return nil
	}
	n := &node{}
	p.refer(n, index, p.open)
	return n
}

// refer makes n a back-reference. Within its own group it refers to nothing yet.
func (p *parser) refer(n *node, index int, open []int) {
	if slices.Contains(open, index) {
		n.op = opEmpty
		return
	}
	n.op, n.index = opBackref, index
	p.out.regular, p.out.backrefs = false, true
}

// namedBackref reads <name> after \k.
func (p *parser) namedBackref() *node {
	n, pos := &node{}, p.pos
	if !p.skip("<") {
		p.fail("\\k needs the name of a group")
		return n
	}
	p.refs = append(p.refs, namedRef{node: n, name: p.groupName(), open: slices.Clone(p.open), pos: pos})
	return n
}
