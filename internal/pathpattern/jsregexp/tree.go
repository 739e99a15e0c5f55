package jsregexp

// op says what a node of the tree does.
type op uint8

const (
	opEmpty     op = iota // matches nothing at all, and always
	opSet                 // takes one code unit out of set
	opConcat              // subs, one after the other
	opAlternate           // the first of subs that leads to a match
	opRepeat              // subs[0], min to max times
	opCapture             // subs[0], remembered as group index
	opBegin               // the start of the text
	opEnd                 // the end of the text
	opWord                // a word boundary (ASCII words)
	opNotWord             // no word boundary
	opLook                // subs[0] matches here (or, negative, does not), taking nothing
	opBackref             // what group index took, without regard to case
)

const unbounded = -1

type node struct {
	op       op
	set      set
	subs     []*node
	min, max int // opRepeat; max may be unbounded
	lazy     bool
	index    int // opCapture, opBackref
	behind   bool
	negative bool
}

// Regexp is a JavaScript regular expression that was read without error.
type Regexp struct {
	root     *node
	captures []int // by group, starting at 0: where in the source its parenthesis is, in bytes
	backrefs bool
	regular  bool // no look-around, no back-reference
}

// Group returns the number (from 1) of the capturing group that opens at a byte
// offset of the source, or 0 when none does.
func (r *Regexp) Group(offset int) int {
	for i, at := range r.captures {
		if at == offset {
			return i + 1
		}
	}
	return 0
}

// Regular reports whether the expression has neither look-around nor
// back-reference, so that a linear-time engine can run it.
func (r *Regexp) Regular() bool { return r.regular }

func concat(subs []*node) *node {
	switch len(subs) {
	case 0:
		return &node{op: opEmpty}
	case 1:
		return subs[0]
	}
	return &node{op: opConcat, subs: subs}
}
