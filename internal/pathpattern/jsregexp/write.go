package jsregexp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// writer spells a tree in the syntax of one engine.
type writer struct {
	strings.Builder
	dialect
}

// dialect is where the two engines differ in spelling.
type dialect struct {
	point   func(u rune) string // one code unit, in a class or outside
	any     string              // any code unit
	none    string              // never matches
	end     string
	shifted bool // surrogates stand where Encode puts them
}

var re2 = dialect{
	point:   func(u rune) string { return fmt.Sprintf(`\x{%X}`, u) },
	any:     `(?s:.)`,
	none:    `[^\x00-\x{10FFFF}]`,
	end:     `\z`,
	shifted: true,
}

var ecmaScript = dialect{
	point: func(u rune) string { return fmt.Sprintf(`\u%04X`, u) },
	any:   `[^]`,
	none:  `(?!)`,
	end:   `$`,
}

// RE2 writes the expression for package regexp, to be run over text from
// [Encode]. ok is false when it is not regular, when it repeats more than 1000
// times, or when it repeats what may be empty: JavaScript takes back a repetition
// that took nothing, which shows in what groups capture.
func (r *Regexp) RE2() (_ string, ok bool) {
	if !r.regular || !plainRepeats(r.root) {
		return "", false
	}
	w := writer{dialect: re2}
	w.node(r.root)
	return w.String(), true
}

// ECMAScript writes the expression for an engine that knows look-around and
// back-references, to be run without flag i (but see [Regexp.Backrefs]) over
// the code units from [Units].
func (r *Regexp) ECMAScript() string {
	w := writer{dialect: ecmaScript}
	w.node(r.root)
	return w.String()
}

// Backrefs reports whether there are back-references, for which the engine of
// [Regexp.ECMAScript] has to ignore case.
func (r *Regexp) Backrefs() bool { return r.backrefs }

// plainRepeats reports whether package regexp repeats as JavaScript does.
func plainRepeats(n *node) bool {
	const most = 1000
	if n.op == opRepeat && (n.min > most || n.max > most || nullable(n.subs[0])) {
		return false
	}
	return !slices.ContainsFunc(n.subs, func(sub *node) bool { return !plainRepeats(sub) })
}

// nullable reports whether n may match without taking anything.
func nullable(n *node) bool {
	switch n.op {
	case opSet:
		return false
	case opRepeat:
		return n.min == 0 || nullable(n.subs[0])
	case opAlternate:
		return slices.ContainsFunc(n.subs, nullable)
	case opConcat, opCapture:
		return !slices.ContainsFunc(n.subs, func(sub *node) bool { return !nullable(sub) })
	}
	return true
}

func (w *writer) node(n *node) {
	switch n.op {
	case opEmpty:
		w.WriteString(`(?:)`)
	case opSet:
		w.units(n.set)
	case opConcat:
		w.group("(?:", "", n.subs)
	case opAlternate:
		w.group("(?:", "|", n.subs)
	case opRepeat:
		w.group("(?:", "", n.subs)
		w.WriteString(quantifier(n))
	case opCapture:
		w.group("(", "", n.subs)
	case opBegin:
		w.WriteString(`^`)
	case opEnd:
		w.WriteString(w.end)
	case opWord:
		w.WriteString(`\b`)
	case opNotWord:
		w.WriteString(`\B`)
	case opLook:
		w.group(lookKind(n), "", n.subs)
	case opBackref:
		w.WriteString(`(?:\` + strconv.Itoa(n.index) + `)`)
	}
}

func (w *writer) group(open, between string, subs []*node) {
	w.WriteString(open)
	for i, sub := range subs {
		if i > 0 {
			w.WriteString(between)
		}
		w.node(sub)
	}
	w.WriteByte(')')
}

func lookKind(n *node) string {
	kind := "(?"
	if n.behind {
		kind += "<"
	}
	if n.negative {
		return kind + "!"
	}
	return kind + "="
}

func quantifier(n *node) string {
	var q string
	switch {
	case n.min == 0 && n.max == unbounded:
		q = "*"
	case n.min == 1 && n.max == unbounded:
		q = "+"
	case n.min == 0 && n.max == 1:
		q = "?"
	case n.max == unbounded:
		q = fmt.Sprintf("{%d,}", n.min)
	default:
		q = fmt.Sprintf("{%d,%d}", n.min, n.max)
	}
	if n.lazy {
		q += "?"
	}
	return q
}

// units writes a set of code units.
func (w *writer) units(s set) {
	switch {
	case len(s) == 0:
		w.WriteString(w.none)
		return
	case len(s) == 1 && s[0] == anyUnit[0]:
		w.WriteString(w.any)
		return
	}
	if w.shifted {
		s = s.shift()
	}
	w.WriteByte('[')
	for _, r := range s {
		w.WriteString(w.point(r.lo))
		if r.lo < r.hi {
			w.WriteString("-" + w.point(r.hi))
		}
	}
	w.WriteByte(']')
}

// shift moves the surrogates of s to where [Encode] puts them.
func (s set) shift() set {
	var spans []span
	for _, r := range s {
		if r.lo < surrogateLow {
			spans = append(spans, span{r.lo, min(r.hi, surrogateLow-1)})
		}
		if lo, hi := max(r.lo, surrogateLow), min(r.hi, surrogateHigh); lo <= hi {
			spans = append(spans, span{lo + surrogateShift, hi + surrogateShift})
		}
		if r.hi > surrogateHigh {
			spans = append(spans, span{max(r.lo, surrogateHigh+1), r.hi})
		}
	}
	return newSet(spans)
}
