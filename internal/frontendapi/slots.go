package frontendapi

import (
	"net/netip"
	"sync"
)

// slots bounds what is under way: in all, and for each network that it is for.
type slots struct {
	all, each int // the bounds

	mu    sync.Mutex
	taken int
	of    map[netip.Prefix]int
}

func newSlots(all, each int) slots {
	return slots{all: all, each: each, of: map[netip.Prefix]int{}}
}

// take reports whether there was a slot, which [slots.give] returns. It does not
// wait.
func (s *slots) take(from netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all || s.of[from] >= s.each {
		return false
	}
	s.taken++
	s.of[from]++
	return true
}

func (s *slots) give(from netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.of[from]--; s.of[from] == 0 {
		delete(s.of, from)
	}
}
