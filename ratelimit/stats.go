package ratelimit

import "sync/atomic"

// LimitStats counts what became of the checks of one limit. A check counts once,
// whatever its cost.
type LimitStats struct {
	// Checked and Refused are all checks, and those that were refused.
	Checked, Refused uint64
	// Local are the checks that were answered without asking the store, Answered
	// those that the store answered, and StoreErrors those that it did not.
	Local, Answered, StoreErrors uint64
	// Leases is how many slices were taken, and Returned how much of them was
	// given back, in units of cost.
	Leases, Returned uint64
}

// Stats are the counts of a [Redis] since it was made.
type Stats struct {
	// Limits is by the names of the limits.
	Limits map[string]LimitStats
	// RoundTrips is how many calls were sent to the store, Requests how many
	// checks they carried and parts of slices that were given back, and Failures
	// how many of the calls failed.
	RoundTrips, Requests, Failures uint64
	// OpenBreakers is how many parts of the store are not asked at present, of
	// Breakers: one of a server, sixteen of a cluster.
	OpenBreakers, Breakers int
}

// Stats returns the counts.
func (r *Redis) Stats() Stats {
	stats := Stats{
		Limits:     make(map[string]LimitStats),
		RoundTrips: r.counts.trips.Load(), Requests: r.counts.requests.Load(), Failures: r.counts.failures.Load(),
		Breakers: len(r.lanes),
	}
	for _, l := range r.lanes {
		if l.open.Load() {
			stats.OpenBreakers++
		}
	}
	for i := range r.known.shards {
		r.known.shards[i].addStats(stats.Limits)
	}
	return stats
}

func (s *knownShard) addStats(limits map[string]LimitStats) {
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

// storeCounts are the counts that belong to no limit.
type storeCounts struct {
	trips, requests, failures atomic.Uint64
}

// trip counts a call to the store.
func (c *storeCounts) trip(calls []*call) {
	c.trips.Add(1)
	for _, one := range calls {
		c.requests.Add(uint64(len(one.requests)))
	}
}
