package jsregexp

import (
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// Options choose the flags that an expression is read with.
type Options struct {
	DotAll    bool // flag s: `.` takes line terminators too
	MatchCase bool // no flag i: letters are as written
}

// Error says why an expression cannot be read.
type Error struct {
	Offset int // in bytes of the source
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Parse reads source as `new RegExp(source, "i")` does. Its error is an [*Error].
func Parse(source string, o Options) (*Regexp, error) {
	p := newParser(source, o)
	p.countGroups()
	root := p.disjunction()
	if p.more() {
		p.fail("unmatched )")
	}
	p.resolveNames()
	if p.err != nil {
		return nil, p.err
	}
	p.out.root = root
	return &p.out, nil
}

// parser walks over the code units of the source. The first error stays, and
// ends the walk.
type parser struct {
	Options
	units   []rune
	offsets []int // byte offset of each unit, and of the end
	pos     int
	err     *Error
	out     Regexp

	groups   int            // capturing groups in the whole source
	hasNames bool           // one of them is named, which changes what \k means
	names    map[string]int // groups by name, those read so far
	open     []int          // groups around the current position
	refs     []namedRef
}

type namedRef struct {
	node *node
	name string
	open []int
	pos  int
}

func newParser(source string, o Options) *parser {
	p := &parser{Options: o, names: map[string]int{}}
	p.out.regular = true
	for at, r := range source {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			p.units = append(p.units, high, low)
			p.offsets = append(p.offsets, at, at)
			continue
		}
		p.units = append(p.units, r)
		p.offsets = append(p.offsets, at)
	}
	p.offsets = append(p.offsets, len(source))
	return p
}

func (p *parser) more() bool { return p.pos < len(p.units) }

// at returns the unit n places ahead, or -1 past the end.
func (p *parser) at(n int) rune {
	if p.pos+n >= len(p.units) {
		return -1
	}
	return p.units[p.pos+n]
}

// skip steps over a word if it is next.
func (p *parser) skip(word string) bool {
	for i, r := range word {
		if p.at(i) != r {
			return false
		}
	}
	p.pos += len(word)
	return true
}

func (p *parser) fail(msg string) {
	if p.err == nil {
		p.err = &Error{Offset: p.offsets[min(p.pos, len(p.units))], Msg: msg}
	}
	p.pos = len(p.units)
}

// countGroups looks ahead: whether \2 is a back-reference, and what \k means,
// depends on groups that may come later.
func (p *parser) countGroups() {
	inClass := false
	for i := 0; i < len(p.units); i++ {
		switch u := p.units[i]; {
		case u == '\\':
			i++
		case inClass:
			inClass = u != ']'
		case u == '[':
			inClass = true
		case u == '(':
			p.pos = i
			named := p.at(1) == '?' && p.at(2) == '<' && p.at(3) != '=' && p.at(3) != '!'
			if named || p.at(1) != '?' {
				p.groups++
			}
			p.hasNames = p.hasNames || named
		}
	}
	p.pos = 0
}

func (p *parser) resolveNames() {
	for _, ref := range p.refs {
		index, ok := p.names[ref.name]
		if !ok {
			p.pos = ref.pos
			p.fail("no group has the name that \\k refers to")
			return
		}
		p.refer(ref.node, index, ref.open)
	}
}

func (p *parser) disjunction() *node {
	alternatives := []*node{p.alternative()}
	for p.skip("|") {
		alternatives = append(alternatives, p.alternative())
	}
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	return &node{op: opAlternate, subs: alternatives}
}

func (p *parser) alternative() *node {
	var terms []*node
	for p.more() && p.at(0) != '|' && p.at(0) != ')' {
		terms = append(terms, p.term())
	}
	return concat(terms)
}

func (p *parser) term() *node {
	if n := p.assertion(); n != nil {
		return n
	}
	n := p.atom()
	if n.op == opLook && n.behind {
		if next := p.at(0); next == '*' || next == '+' || next == '?' || p.atInterval() {
			p.fail("a look-behind cannot be repeated")
		}
		return n
	}
	return p.quantified(n)
}

// assertion reads what can never be repeated.
func (p *parser) assertion() *node {
	switch {
	case p.skip("^"):
		return &node{op: opBegin}
	case p.skip("$"):
		return &node{op: opEnd}
	case p.skip(`\b`):
		return &node{op: opWord}
	case p.skip(`\B`):
		return &node{op: opNotWord}
	}
	return nil
}

func (p *parser) atom() *node {
	u := p.at(0)
	switch u {
	case '*', '+', '?':
		p.fail("nothing to repeat")
		return &node{}
	case '{':
		if p.atInterval() {
			p.fail("nothing to repeat")
			return &node{}
		}
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '.':
		p.pos++
		if p.DotAll {
			return &node{op: opSet, set: anyUnit}
		}
		return &node{op: opSet, set: lineTerminators.negate()}
	case '\\':
		return p.atomEscape()
	}
	p.pos++
	return p.unit(u)
}

// unit is the node for one code unit, in either case unless case matters.
func (p *parser) unit(u rune) *node {
	if p.MatchCase {
		return &node{op: opSet, set: set{{u, u}}}
	}
	return &node{op: opSet, set: foldUnit(u)}
}

func (p *parser) quantified(n *node) *node {
	low, high := 0, unbounded
	switch {
	case p.skip("*"):
	case p.skip("+"):
		low = 1
	case p.skip("?"):
		high = 1
	case p.atInterval():
		low, high, p.pos = p.interval()
		if high != unbounded && high < low {
			p.fail("numbers out of order in {}")
		}
	default:
		return n
	}
	return &node{op: opRepeat, subs: []*node{n}, min: low, max: high, lazy: p.skip("?")}
}

func (p *parser) atInterval() bool {
	_, _, end := p.interval()
	return end > p.pos
}

// interval reads {n}, {n,} or {n,m} without stepping over it: end is behind it,
// or the current position when it is not one.
func (p *parser) interval() (low, high, end int) {
	start := p.pos
	defer func() { p.pos = start }()
	if !p.skip("{") {
		return 0, 0, start
	}
	low, ok := p.number()
	if !ok {
		return 0, 0, start
	}
	high = low
	if p.skip(",") {
		if high, ok = p.number(); !ok {
			high = unbounded
		}
	}
	if !p.skip("}") {
		return 0, 0, start
	}
	return low, high, p.pos
}

// number reads digits. What is beyond 31 bits counts as 2³¹-1.
func (p *parser) number() (n int, ok bool) {
	for '0' <= p.at(0) && p.at(0) <= '9' {
		n = min(n*10+int(p.at(0)-'0'), math.MaxInt32)
		ok = true
		p.pos++
	}
	return n, ok
}
