package pathpattern

import "github.com/clerkgate/clerkgate/internal/pathpattern/jsregexp"

// Language is the set of paths that a pattern matches, as far as tables decide it.
// It tells whether patterns leave anything to one another, and is for checks of a
// policy, not for requests.
type Language struct {
	forward, reversed *jsregexp.Table // forward is nil for what has look-ahead
}

// Language returns the paths that p matches. ok is false where no table decides.
func (p *Pattern) Language() (_ *Language, ok bool) {
	return languageOf(build(p.tokens).String(), p.o)
}

func languageOf(expression string, o Options) (_ *Language, ok bool) {
	re, err := jsregexp.Parse(expression, o.expression())
	if err != nil {
		return nil, false
	}
	l := &Language{}
	if table, ok := re.Table(); ok && table.FromStart() {
		l.forward = table
	}
	l.reversed, ok = re.Reversed()
	return l, ok
}

// paths are all paths that a request can have once it was read: from a slash on,
// without empty segments, and without what ends a path or is refused.
var paths, _ = languageOf(`^\/(?:[^\/?#\\\x00-\x1f\x7f]+(?:\/[^\/?#\\\x00-\x1f\x7f]+)*\/?)?$`, Options{})

// AllPaths returns the paths that requests can have.
func AllPaths() *Language { return paths }

// Example returns a path that a request can have, in l and in none of the others.
// found is false where there is no such path, known where that cannot be told.
func (l *Language) Example(others ...*Language) (path string, found, known bool) {
	near := others[:0:0]
	for _, other := range others {
		if l.Meets(other) {
			near = append(near, other)
		}
	}
	return example([]*Language{l, paths}, near)
}

// Meets reports whether some path that a request can have is in both, or may be.
func (l *Language) Meets(other *Language) bool {
	_, meet, known := example([]*Language{l, other, paths}, nil)
	return meet || !known
}

func example(all, none []*Language) (path string, found, known bool) {
	tables := func(of []*Language, pick func(*Language) *jsregexp.Table) (list []*jsregexp.Table, whole bool) {
		for _, l := range of {
			table := pick(l)
			if table == nil {
				return nil, false
			}
			list = append(list, table)
		}
		return list, true
	}
	forward := func(l *Language) *jsregexp.Table { return l.forward }
	in, ok := tables(all, forward)
	out, ok2 := tables(none, forward)
	if !ok || !ok2 {
		reversed := func(l *Language) *jsregexp.Table { return l.reversed }
		in, _ = tables(all, reversed)
		out, _ = tables(none, reversed)
	}
	return jsregexp.Example(in, out)
}
