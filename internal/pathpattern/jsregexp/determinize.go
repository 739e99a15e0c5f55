package jsregexp

// builder turns a program into a table: a state of the table is a set of
// instructions.
type builder struct {
	*program
	members [][]bool // by instruction and class
	classes int
	steps   int

	seen    map[string]uint16 // states by their sets
	sets    [][]bool          // by state, those that are not settled
	next    []uint16
	accepts []bool
}

// direction is how a path is read: what the sets are, and which follows which.
type direction interface {
	first() []bool
	after(set []bool, class int) []bool
	accepts(set []bool) bool
}

// build works out all states that can be reached. ok is false beyond the limits.
func (b *builder) build(d direction) (start uint16, ok bool) {
	b.sets = make([][]bool, 2)
	b.accepts = []bool{rejected: false, accepted: true}
	b.next = make([]uint16, 2*b.classes)
	for class := range b.classes {
		b.next[accepted*b.classes+class] = accepted
	}
	start = b.state(d, d.first())
	for state := accepted + 1; state < len(b.sets); state++ {
		for class := range b.classes {
			b.next = append(b.next, b.state(d, d.after(b.sets[state], class)))
			b.steps += len(b.insts)
		}
		if len(b.next) > maxEntries || len(b.sets) > maxStates || b.steps > maxSteps {
			return 0, false
		}
	}
	return b.settle(start), true
}

// state returns the number of a set, a new one if it was not there.
func (b *builder) state(d direction, set []bool) uint16 {
	key := make([]byte, len(set))
	for i, in := range set {
		if in {
			key[i] = 1
		}
	}
	if n, ok := b.seen[string(key)]; ok {
		return n
	}
	n := uint16(len(b.sets))
	b.seen[string(key)] = n
	b.sets = append(b.sets, set)
	b.accepts = append(b.accepts, d.accepts(set))
	return n
}

// settle replaces the states from which every path is accepted, or none is, by
// the two settled ones, so that reading can stop there.
func (b *builder) settle(start uint16) uint16 {
	to := make([]uint16, len(b.accepts))
	for state := range to {
		to[state] = rejected
		if b.accepts[state] {
			to[state] = accepted
		}
	}
	for changed := true; changed; {
		changed = false
		for state := len(to) - 1; state > accepted; state-- {
			if int(to[state]) == state || b.agree(state, to) {
				continue
			}
			to[state] = uint16(state)
			changed = true
		}
	}
	for i, state := range b.next {
		b.next[i] = to[state]
	}
	return to[start]
}

// agree reports whether all that follows state is settled as state is.
func (b *builder) agree(state int, to []uint16) bool {
	for _, next := range b.next[state*b.classes : (state+1)*b.classes] {
		if to[next] != to[state] {
			return false
		}
	}
	return true
}

// forward reads from the start of the path. A set holds the instructions that
// may be next; it has no look-ahead.
type forward struct{ *builder }

func (f forward) first() []bool {
	set := make([]bool, len(f.insts))
	f.reach(set, f.start)
	return set
}

func (f forward) after(set []bool, class int) []bool {
	out := make([]bool, len(f.insts))
	for i, in := range set {
		switch {
		case !in:
		case f.insts[i].op == instFound:
			out[i] = true // once matched, always matched
		case f.insts[i].op == instUnit && f.members[i][class]:
			f.reach(out, f.insts[i].out)
		}
	}
	return out
}

// reach adds an instruction, and all that it leads to without taking anything.
func (f forward) reach(set []bool, at int) {
	if set[at] {
		return
	}
	set[at] = true
	if i := f.insts[at]; i.op == instSplit {
		f.reach(set, i.out)
		f.reach(set, i.alt)
	}
}

// accepts follows the set's instructions as if the path ended here.
func (f forward) accepts(set []bool) bool {
	seen := make([]bool, len(set))
	var found func(at int) bool
	found = func(at int) bool {
		if seen[at] {
			return false
		}
		seen[at] = true
		switch i := f.insts[at]; i.op {
		case instFound:
			return true
		case instEnd:
			return found(i.out)
		case instSplit:
			return found(i.out) || found(i.alt)
		}
		return false
	}
	for at, in := range set {
		if in && found(at) {
			return true
		}
	}
	return false
}

// backward reads from the end of the path. A set holds the instructions from
// which the rest of the path, already read, matches; so what a look-ahead finds
// is known where it stands.
type backward struct{ *builder }

func (w backward) first() []bool { return w.solve(make([]bool, len(w.insts)), true) }

func (w backward) after(set []bool, class int) []bool {
	taken := make([]bool, len(set))
	for i, in := range w.insts {
		taken[i] = in.op == instUnit && w.members[i][class] && set[in.out]
	}
	return w.solve(taken, false)
}

func (w backward) accepts(set []bool) bool { return set[w.start] }

// solve adds to set, which has those that take the next code unit, what leads to
// them without taking anything. The bodies of look-aheads come first, innermost
// before all others: what does not match is known only when all that does is.
func (w backward) solve(set []bool, atEnd bool) []bool {
	for depth := w.depth; depth >= 0; depth-- {
		for changed := true; changed; {
			changed = false
			w.steps += len(w.insts)
			for at, i := range w.insts {
				if i.depth == depth && !set[at] && w.holds(i, set, atEnd) {
					set[at], changed = true, true
				}
			}
		}
	}
	return set
}

func (w backward) holds(i inst, set []bool, atEnd bool) bool {
	switch i.op {
	case instFound:
		return true
	case instSplit:
		return set[i.out] || set[i.alt]
	case instEnd:
		return atEnd && set[i.out]
	case instLook:
		return set[i.alt] != i.negative && set[i.out]
	}
	return false
}
