// Package tally exports the metrics of stores to Prometheus: of rate limits and of
// revocations; and those of a policy document that is loaded again and again. Its labels
// are bounded: limits come from the configuration, and no client can choose one.
package tally

import (
	"sync"

	"github.com/clerkgate/clerkgate/internal/setup"
)

// Tally sums up the counts of the open stores and of those that are closed, so that no
// counter decreases when a configuration is reloaded. It is safe for concurrent use; use
// [New].
type Tally struct {
	mu   sync.Mutex
	open map[*setup.Stores]struct{}
	past totals
}

// New returns a tally of no stores.
func New() *Tally {
	return &Tally{open: map[*setup.Stores]struct{}{}}
}

// Open adds stores.
func (t *Tally) Open(s *setup.Stores) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[s] = struct{}{}
}

// Close keeps the counts of stores that are closed. It has no effect for stores that are
// not open.
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

// read returns the sums over all stores.
func (t *Tally) read() *totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.past.clone()
	for s := range t.open {
		sum.add(s)
		sum.memories[s.Counts] = struct{}{}
		sum.entriesByInstance[s.Instance] = max(sum.entriesByInstance[s.Instance], s.Revocations.Len())
	}
	return sum
}
