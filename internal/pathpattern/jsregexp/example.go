package jsregexp

import (
	"slices"
	"unicode/utf16"
)

// maxExampleSteps bounds a search: a step is one look-up in one table.
const maxExampleSteps = 1 << 20

// FromStart reports whether the table reads paths from their start, and not from
// their end as look-ahead needs it.
func (t *Table) FromStart() bool { return !t.backward }

// Reversed returns the table that reads paths from their end, which every
// expression has that has a table.
func (r *Regexp) Reversed() (_ *Table, ok bool) {
	turned := *r
	turned.regular = false
	return turned.Table()
}

// Example finds a short path that all of some tables match and none of others
// does. Tables that read in different directions cannot be asked together. known is
// false where the search was given up.
func Example(all, none []*Table) (path string, found, known bool) {
	s := &search{tables: slices.Concat(all, none), all: len(all), seen: map[string]bool{}}
	for _, t := range s.tables {
		if t.backward != s.tables[0].backward {
			return "", false, false
		}
	}
	return s.run()
}

// search walks through the states that the tables are in together, by breadth.
type search struct {
	tables []*Table
	all    int // so many of the tables have to match
	units  []rune
	seen   map[string]bool
	queue  []joint
	steps  int
}

// joint is a state of all tables, and how it was reached.
type joint struct {
	states []uint16
	from   int
	unit   rune
}

func (s *search) run() (path string, found, known bool) {
	s.units = s.alphabet()
	start := joint{from: -1}
	for _, t := range s.tables {
		start.states = append(start.states, t.start)
	}
	s.add(start)
	for at := 0; at < len(s.queue); at++ {
		if s.wanted(s.queue[at].states) {
			return s.path(at), true, true
		}
		for _, unit := range s.units {
			next := joint{make([]uint16, len(s.tables)), at, unit}
			for i, t := range s.tables {
				next.states[i] = uint16(t.step(int(s.queue[at].states[i]), unit))
			}
			s.add(next)
			if s.steps += len(s.tables); s.steps > maxExampleSteps {
				return "", false, false
			}
		}
	}
	return "", false, true
}

// alphabet has one code unit of each class that the tables tell apart together, a
// letter where there is one.
func (s *search) alphabet() []rune {
	var bounds []rune
	for _, t := range s.tables {
		bounds = append(bounds, t.alphabet.bounds...)
	}
	slices.Sort(bounds)
	for u := rune('z'); u >= ' '; u-- { // in front, so that examples can be read
		bounds = slices.Insert(bounds, 0, u)
	}
	var units []rune
	classes := map[string]bool{}
	for _, u := range bounds {
		key := make([]byte, len(s.tables))
		for i, t := range s.tables {
			key[i] = t.alphabet.search(u)
		}
		if !classes[string(key)] {
			classes[string(key)] = true
			units = append(units, u)
		}
	}
	return units
}

// add queues a state from which a wanted one may still be reached.
func (s *search) add(j joint) {
	key := make([]byte, 0, 2*len(j.states))
	for i, state := range j.states {
		if i < s.all && state == rejected || i >= s.all && state == accepted {
			return
		}
		key = append(key, byte(state), byte(state>>8))
	}
	if !s.seen[string(key)] {
		s.seen[string(key)] = true
		s.queue = append(s.queue, j)
	}
}

func (s *search) wanted(states []uint16) bool {
	for i, t := range s.tables {
		if t.accepts[states[i]] != (i < s.all) {
			return false
		}
	}
	return true
}

func (s *search) path(at int) string {
	var units []uint16
	for ; s.queue[at].from >= 0; at = s.queue[at].from {
		units = append(units, uint16(s.queue[at].unit))
	}
	if !s.tables[0].backward {
		slices.Reverse(units)
	}
	return string(utf16.Decode(units))
}
