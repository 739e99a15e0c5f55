package tally

import (
	"maps"
	"slices"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/revocation"
)

// maxLimits bounds the limits that are told apart, over all configurations.
const maxLimits = 1000

// other is the limit of the rest, and of what a store itself does not tell apart.
const other = "other"

// totals are sums over stores. The zero value has counted nothing.
type totals struct {
	limits     ratelimit.Stats
	revocation revocation.Stats
	// memories are what keys are counted in, each once: stores may share one.
	memories map[*ratelimit.Memory]struct{}
	// ended is how much is known of each instance, by whichever stores know most: all
	// of an instance tell each other.
	ended map[string]int
}

// clone returns a copy without what is told apart by stores.
func (t *totals) clone() *totals {
	c := *t
	c.limits.Limits = maps.Clone(t.limits.Limits)
	c.memories, c.ended = map[*ratelimit.Memory]struct{}{}, map[string]int{}
	return &c
}

// add adds what stores counted, and how they are now.
func (t *totals) add(s *setup.Stores) {
	if s.Shared != nil {
		t.addLimits(s.Shared.Stats())
	}
	t.addRevocation(s.Revocations.Stats())
}

func (t *totals) addLimits(s ratelimit.Stats) {
	sum := &t.limits
	sum.RoundTrips += s.RoundTrips
	sum.Requests += s.Requests
	sum.Failures += s.Failures
	sum.OpenBreakers += s.OpenBreakers
	sum.Breakers += s.Breakers
	if sum.Limits == nil {
		sum.Limits = map[string]ratelimit.LimitStats{}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Limits)) { // the same ones have room each time
		one := s.Limits[name]
		if _, ok := sum.Limits[name]; name == "" || !ok && len(sum.Limits) >= maxLimits {
			name = other
		}
		l := sum.Limits[name]
		l.Local += one.Local
		l.Answered += one.Answered
		l.StoreErrors += one.StoreErrors
		l.Leases += one.Leases
		l.Returned += one.Returned
		sum.Limits[name] = l
	}
}

func (t *totals) addRevocation(s revocation.Stats) {
	sum := &t.revocation
	sum.Received += s.Received
	sum.Revoked += s.Revoked
	sum.Rewritten += s.Rewritten
	sum.Ignored += s.Ignored
	sum.Forgot += s.Forgot
	sum.Failures += s.Failures
	sum.LifetimesDiffer = sum.LifetimesDiffer || s.LifetimesDiffer
	sum.Away = max(sum.Away, s.Away)
	sum.Webhooks.Taken += s.Webhooks.Taken
	sum.Webhooks.Refused += s.Webhooks.Refused
	sum.Webhooks.Failed += s.Webhooks.Failed
	sum.Webhooks.Busy += s.Webhooks.Busy
}

// forgetState keeps only what counts up: stores that are closed have no state.
func (t *totals) forgetState() {
	t.limits.OpenBreakers, t.limits.Breakers = 0, 0
	t.revocation.Away, t.revocation.LifetimesDiffer = 0, false
}

// entries is of how many subjects something is known.
func (t *totals) entries() int {
	n := 0
	for _, known := range t.ended {
		n += known
	}
	return n
}

// keys is how many keys are counted in memory.
func (t *totals) keys() int {
	n := 0
	for m := range t.memories {
		n += m.Len()
	}
	return n
}
