package frontendapi

import (
	"net/netip"
	"sync"
)

// slots is a semaphore: it bounds what is in use in total, and by each client network.
type slots struct {
	maxTotal, maxPerNetwork int // the bounds

	mu        sync.Mutex
	used      int
	byNetwork map[netip.Prefix]int
}

func newSlots(all, each int) slots {
	return slots{maxTotal: all, maxPerNetwork: each, byNetwork: map[netip.Prefix]int{}}
}

// acquire acquires a slot, which [slots.release] releases, or returns false if there is
// none. It does not wait.
func (s *slots) acquire(from netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.maxTotal || s.byNetwork[from] >= s.maxPerNetwork {
		return false
	}
	s.used++
	s.byNetwork[from]++
	return true
}

func (s *slots) release(from netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.byNetwork[from]--; s.byNetwork[from] == 0 {
		delete(s.byNetwork, from)
	}
}
