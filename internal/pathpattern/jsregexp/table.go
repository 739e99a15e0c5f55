package jsregexp

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Table decides by one look-up for each code unit of a path whether an expression
// matches it: a deterministic automaton, in memory. It allocates nothing, and its
// time is linear in the path, look-ahead or not.
type Table struct {
	alphabet *alphabet
	next     []uint16 // by state, then class
	accepts  []bool   // by state: the path that led here matches
	start    uint16
	backward bool // read the path from its end
}

// Two states are settled: whatever follows, the answer is no, or yes.
const (
	rejected = 0
	accepted = 1
)

// The most a table may take: entries, states, and steps to build it.
const (
	maxEntries = 1 << 16
	maxStates  = 1 << 12
	maxSteps   = 1 << 24
)

// Table returns the table of an expression. ok is false when it would be too large,
// or when the expression is not anchored at its start, or has look-behind,
// back-references or word boundaries.
func (r *Regexp) Table() (_ *Table, ok bool) {
	p, ok := compile(r.root)
	if !ok {
		return nil, false
	}
	a, members, ok := newAlphabet(p)
	if !ok {
		return nil, false
	}
	b := &builder{program: p, members: members, classes: a.size, seen: map[string]uint16{}}
	t := &Table{alphabet: a, backward: !r.regular}
	if t.backward {
		t.start, ok = b.build(backward{b})
	} else {
		t.start, ok = b.build(forward{b})
	}
	if !ok {
		return nil, false
	}
	t.next, t.accepts = b.next, b.accepts
	return t, true
}

// Match reports whether the expression matches a path.
func (t *Table) Match(path string) bool {
	if t.backward {
		return t.matchBackward(path)
	}
	state, classes := int(t.start), t.alphabet.size
	for i := 0; i < len(path) && state > accepted; {
		if c := path[i]; c < utf8.RuneSelf {
			state = int(t.next[state*classes+int(t.alphabet.ascii[c])])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(path[i:])
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			state = t.step(state, high)
			r = low
		}
		state = t.step(state, r)
		i += size
	}
	return t.accepts[state]
}

func (t *Table) matchBackward(path string) bool {
	state, classes := int(t.start), t.alphabet.size
	for i := len(path); i > 0 && state > accepted; {
		if c := path[i-1]; c < utf8.RuneSelf {
			state = int(t.next[state*classes+int(t.alphabet.ascii[c])])
			i--
			continue
		}
		r, size := utf8.DecodeLastRuneInString(path[:i])
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			state = t.step(state, low)
			r = high
		}
		state = t.step(state, r)
		i -= size
	}
	return t.accepts[state]
}

func (t *Table) step(state int, u rune) int {
	return int(t.next[state*t.alphabet.size+int(t.alphabet.search(u))])
}
