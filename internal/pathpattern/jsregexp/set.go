package jsregexp

import (
	"cmp"
	"slices"
)

const maxUnit = 0xFFFF

// span is a range of code units, both ends included.
type span struct{ lo, hi rune }

// set is a sorted list of disjoint, non-adjacent spans.
type set []span

var (
	anyUnit         = set{{0, maxUnit}}
	digits          = set{{'0', '9'}}
	wordUnits       = set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	lineTerminators = set{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
	// ECMA-262 WhiteSpace and LineTerminator: tab to carriage return, the
	// byte-order mark, and Unicode's space separators.
	spaces = set{
		{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A},
		{0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
	}
)

// newSet sorts and joins spans.
func newSet(spans []span) set {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	var s set
	for _, r := range spans {
		if last := len(s) - 1; last >= 0 && r.lo <= s[last].hi+1 {
			s[last].hi = max(s[last].hi, r.hi)
			continue
		}
		s = append(s, r)
	}
	return s
}

// negate returns the code units that are not in s.
func (s set) negate() set {
	var out set
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, span{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= maxUnit {
		out = append(out, span{next, maxUnit})
	}
	return out
}

// contains reports whether u is in s.
func (s set) contains(u rune) bool {
	_, found := slices.BinarySearchFunc(s, u, func(r span, u rune) int {
		switch {
		case r.hi < u:
			return -1
		case r.lo > u:
			return 1
		}
		return 0
	})
	return found
}

// fold returns s with every code unit that differs from a member in case only.
func (s set) fold() set {
	spans := slices.Clone(s)
	for _, class := range folding().classes {
		if slices.ContainsFunc(class, s.contains) {
			spans = append(spans, points(class)...)
		}
	}
	return newSet(spans)
}

// foldUnit is fold for the set of u alone.
func foldUnit(u rune) set {
	if class, ok := folding().of[u]; ok {
		return newSet(points(class))
	}
	return set{{u, u}}
}

func points(units []rune) []span {
	spans := make([]span, len(units))
	for i, u := range units {
		spans[i] = span{u, u}
	}
	return spans
}
