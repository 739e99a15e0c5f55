package ratelimit

import "sync/atomic"

// LimitStats counts the checks of one limit. A check counts once, whatever its cost.
type LimitStats struct {
	// Checked counts all checks, and Refused those that were denied.
	Checked, Refused uint64
	// Local counts the checks that were decided without asking the store, Answered
	// those that the store answered, and StoreErrors those that it did not.
	Local, Answered, StoreErrors uint64
	// Leases counts the slices that were taken, and Returned what was returned of them,
	// in units of cost.
	Leases, Returned uint64
}

// Stats are the counts of a [Redis] since it was made, for metrics.
type Stats struct {
	// Limits has the counts by the name of the limit. Names beyond the first 1000 of a
	// shard count under "".
	Limits map[string]LimitStats
	// RoundTrips counts the calls to the store, Requests the checks and returned parts of
	// slices in them, and Failures the calls that failed.
	RoundTrips, Requests, Failures uint64
	// Breakers is how many circuit breakers there are, one for a server and sixteen for a
	// cluster, and OpenBreakers how many of them are open, so that the store is not asked.
	OpenBreakers, Breakers int
}

// Stats returns the counts so far.
func (r *Redis) Stats() Stats {
	stats := Stats{
		Limits:     make(map[string]LimitStats),
		RoundTrips: r.counts.roundTrips.Load(), Requests: r.counts.requests.Load(), Failures: r.counts.failures.Load(),
		Breakers: len(r.batchers),
	}
	stats.OpenBreakers = r.OpenBreakers()
	for i := range r.replica.shards {
		r.replica.shards[i].addStats(stats.Limits)
	}
	return stats
}

// OpenBreakers returns how many circuit breakers are open: see [Stats]. It is quick.
func (r *Redis) OpenBreakers() int {
	open := 0
	for _, b := range r.batchers {
		if b.open.Load() {
			open++
		}
	}
	return open
}

func (s *replicaShard) addStats(limits map[string]LimitStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.limits {
		sum := limits[name]
		sum.Checked += c.Checked
		sum.Refused += c.Refused
		sum.Local += c.Local
		sum.Answered += c.Answered
		sum.StoreErrors += c.StoreErrors
		sum.Leases += c.Leases
		sum.Returned += c.Returned
		limits[name] = sum
	}
}

// storeCounts are the counts of calls to the store.
type storeCounts struct {
	roundTrips, requests, failures atomic.Uint64
}

// addCall counts one call to the store.
func (c *storeCounts) addCall(calls []*call) {
	c.roundTrips.Add(1)
	for _, one := range calls {
		c.requests.Add(uint64(len(one.requests)))
	}
}
