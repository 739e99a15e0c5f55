// Package tally tells Prometheus what stores count: those of limits, and of what
// has ended. Both hosts use it. Its labels are bounded: limits come from the
// configuration, and nothing that a client chooses becomes one.
package tally

import (
	"sync"

	"github.com/clerkgate/clerkgate/internal/setup"
)

// Tally knows the stores in force, and keeps what those before them counted, so
// that no counter goes back when a configuration is loaded anew. It is safe for
// concurrent use; use [New].
type Tally struct {
	mu   sync.Mutex
	open map[*setup.Stores]struct{}
	past totals
}

// New returns a tally of no stores.
func New() *Tally {
	return &Tally{open: map[*setup.Stores]struct{}{}}
}

// Open takes in stores that begin to count.
func (t *Tally) Open(s *setup.Stores) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[s] = struct{}{}
}

// Close keeps what stores counted that are closed. It does nothing with others
// than those that Open took in.
func (t *Tally) Close(s *setup.Stores) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.open[s]; !ok {
		return
	}
	delete(t.open, s)
	t.past.add(s)
	t.past.forgetState()
}

// read sums up everything.
func (t *Tally) read() *totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.past.clone()
	for s := range t.open {
		sum.add(s)
		sum.memories[s.Counts] = struct{}{}
		sum.ended[s.Instance] = max(sum.ended[s.Instance], s.Revocations.Len())
	}
	return sum
}
