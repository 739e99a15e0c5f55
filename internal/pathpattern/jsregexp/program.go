package jsregexp

// program is an expression as a graph of instructions, the first of which is
// start: Thompson's construction, with look-ahead as an instruction.
type program struct {
	insts []inst
	start int
	depth int // of the innermost look-ahead
}

type instOp uint8

const (
	instFound instOp = iota // the expression, or the body of a look-ahead, has matched
	instUnit                // take one code unit of set, go to out
	instSplit               // go to out and to alt
	instEnd                 // at the end of the text go to out
	instLook                // if the program from alt matches here (negative: does not), go to out
)

type inst struct {
	op       instOp
	set      set
	out, alt int
	negative bool
	depth    int // how many look-aheads it is in
}

// maxInsts bounds a program: counted repetition is written out.
const maxInsts = 1000

// assembler builds a program from its end to its start, so that each piece knows
// what follows it.
type assembler struct {
	insts []inst
	depth int // of what is being assembled
	most  int
	ok    bool
}

// compile makes the program of an anchored expression. ok is false when it is too
// large, or asks for what a single pass over the text cannot tell: look-behind,
// back-references, word boundaries, or the start of the text further on.
func compile(root *node) (_ *program, ok bool) {
	if root.op != opConcat || root.subs[0].op != opBegin {
		return nil, false
	}
	a := &assembler{ok: true}
	start := a.sequence(root.subs[1:], a.emit(inst{op: instFound}))
	return &program{a.insts, start, a.most}, a.ok
}

func (a *assembler) emit(i inst) int {
	if len(a.insts) >= maxInsts {
		a.ok = false
		return 0
	}
	i.depth = a.depth
	a.insts = append(a.insts, i)
	return len(a.insts) - 1
}

// node returns where n starts, if next is where it goes on.
func (a *assembler) node(n *node, next int) int {
	if !a.ok {
		return 0
	}
	switch n.op {
	case opEmpty:
		return next
	case opSet:
		return a.emit(inst{op: instUnit, set: n.set, out: next})
	case opConcat, opCapture:
		return a.sequence(n.subs, next)
	case opAlternate:
		at := a.node(n.subs[0], next)
		for _, sub := range n.subs[1:] {
			at = a.emit(inst{op: instSplit, out: at, alt: a.node(sub, next)})
		}
		return at
	case opRepeat:
		return a.repeat(n, next)
	case opEnd:
		return a.emit(inst{op: instEnd, out: next})
	case opLook:
		if !n.behind {
			return a.look(n, next)
		}
	}
	a.ok = false
	return 0
}

func (a *assembler) look(n *node, next int) int {
	a.depth++
	a.most = max(a.most, a.depth)
	body := a.sequence(n.subs, a.emit(inst{op: instFound}))
	a.depth--
	return a.emit(inst{op: instLook, negative: n.negative, out: next, alt: body})
}

func (a *assembler) sequence(subs []*node, next int) int {
	for i := len(subs) - 1; i >= 0; i-- {
		next = a.node(subs[i], next)
	}
	return next
}

func (a *assembler) repeat(n *node, next int) int {
	at := next
	if n.max == unbounded {
		at = a.emit(inst{op: instSplit, alt: next})
		a.insts[at].out = a.node(n.subs[0], at)
	}
	for count := n.min; count < n.max && a.ok; count++ {
		at = a.emit(inst{op: instSplit, out: a.node(n.subs[0], at), alt: next})
	}
	for count := 0; count < n.min && a.ok; count++ {
		at = a.node(n.subs[0], at)
	}
	return at
}
