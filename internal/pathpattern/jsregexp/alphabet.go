package jsregexp

import (
	"slices"
	"sort"
)

// alphabet divides the code units into classes that a program cannot tell apart.
type alphabet struct {
	ascii  [128]uint8
	bounds []rune // where the runs of one class start, in order, from 0
	runs   []uint8
	size   int
}

const maxClasses = 256

// newAlphabet works out the classes. members lists, for each instruction that
// takes a code unit, whether it takes those of a class.
func newAlphabet(p *program) (_ *alphabet, members [][]bool, ok bool) {
	a := &alphabet{bounds: []rune{0}}
	for _, i := range p.insts {
		for _, r := range i.set {
			a.bounds = append(a.bounds, r.lo)
			if r.hi < maxUnit {
				a.bounds = append(a.bounds, r.hi+1)
			}
		}
	}
	slices.Sort(a.bounds)
	a.bounds = slices.Compact(a.bounds)
	members = make([][]bool, len(p.insts))
	classes := map[string]uint8{}
	signature := make([]byte, len(p.insts))
	for _, first := range a.bounds {
		for i := range p.insts {
			signature[i] = 0
			if p.insts[i].set.contains(first) {
				signature[i] = 1
			}
		}
		class, known := classes[string(signature)]
		if !known {
			if len(classes) == maxClasses {
				return nil, nil, false
			}
			class = uint8(len(classes))
			classes[string(signature)] = class
			for i, bit := range signature {
				members[i] = append(members[i], bit == 1)
			}
		}
		a.runs = append(a.runs, class)
	}
	a.size = len(classes)
	for u := range rune(len(a.ascii)) {
		a.ascii[u] = a.search(u)
	}
	return a, members, true
}

// search returns the class of a code unit.
func (a *alphabet) search(u rune) uint8 {
	return a.runs[sort.Search(len(a.bounds), func(i int) bool { return a.bounds[i] > u })-1]
}
