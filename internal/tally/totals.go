package tally

import (
	"maps"
	"slices"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/revocation"
)

// maxLimits bounds the names of limits in labels, over all configurations.
const maxLimits = 1000

// other is the label of further limits, and of those that a store itself sums up.
const other = "other"

// totals are sums over stores. The zero value has counted nothing.
type totals struct {
	limits     ratelimit.Stats
	revocation revocation.Stats
	// memories are the in-memory limiters, each once: stores may share one.
	memories map[*ratelimit.Memory]struct{}
	// entriesByInstance is the number of revocation entries of each instance, the largest
	// of its stores: they share their entries.
	entriesByInstance map[string]int
}

// clone returns a copy without memories and entriesByInstance.
func (t *totals) clone() *totals {
	c := *t
	c.limits.Limits = maps.Clone(t.limits.Limits)
	c.memories, c.entriesByInstance = map[*ratelimit.Memory]struct{}{}, map[string]int{}
	return &c
}

// add adds the counts and the state of stores.
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

// forgetState resets gauges: closed stores have no state.
func (t *totals) forgetState() {
	t.limits.OpenBreakers, t.limits.Breakers = 0, 0
	t.revocation.Away, t.revocation.LifetimesDiffer = 0, false
}

// entries returns the number of revocation entries, over all instances.
func (t *totals) entries() int {
	n := 0
	for _, known := range t.entriesByInstance {
		n += known
	}
	return n
}

// keys returns how many keys are counted in memory.
func (t *totals) keys() int {
	n := 0
	for m := range t.memories {
		n += m.Len()
	}
	return n
}
