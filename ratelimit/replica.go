package ratelimit

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How long an answer of the store is cached at most, in nanoseconds: a key that is
// allowed again, because an operator reset it or a slice was returned, is then allowed
// by every process.
const (
	maxObservedAge       = int64(5 * time.Second)
	maxLeasedObservedAge = int64(250 * time.Millisecond)
)

// replica is what this process has cached of the store: keys that are denied, and slices
// of leased quotas. Every part of it may be evicted at any time, since then the store is
// asked.
type replica struct {
	seed   maphash.Seed
	shards [64]replicaShard
	// hasSlices: there may be slices that are not spent.
	hasSlices atomic.Bool
}

type replicaShard struct {
	mu sync.Mutex
	monotonic
	keys    map[id]*keyState
	maxKeys int
	limits  map[string]*LimitStats
}

// keyState is what is cached of one key.
type keyState struct {
	counts *LimitStats
	// observed is the counter at the last answer of the store, in local time. The store
	// has counted no less since, so what it denies is denied; it expires at
	// observedUntil.
	observed      counter
	observedUntil int64
	slice         slice
}

func newReplica(maxKeys int) *replica {
	if maxKeys < 1 {
		maxKeys = DefaultMaxKeys
	}
	r := &replica{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].keys = make(map[id]*keyState)
		r.shards[i].limits = make(map[string]*LimitStats)
		r.shards[i].maxKeys = max(1, maxKeys/len(r.shards))
	}
	return r
}

func (r *replica) shard(id *id) *replicaShard {
	return &r.shards[id.hash(r.seed)>>58]
}

// answerLocally decides a check without the store, or returns a positive want: how much
// to ask the store for.
func (r *replica) answerLocally(id *id, cost int64, leased bool, t int64, steady bool) (a answer, want int64) {
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	f := s.keys[*id]
	if f == nil {
		counts := s.limit(id.name)
		counts.Checked++
		if id.quota.capacity == 0 {
			counts.Local++
			counts.Refused++
			return answer{}, 0
		}
		return answer{}, cost
	}
	f.counts.Checked++
	a = f.peekObserved(&id.quota, t, cost)
	switch {
	case leased && f.slice.spend(t, cost):
		f.counts.Local++
		a.allowed, a.remaining = true, a.remaining+f.slice.left
		return a, 0
	case t < f.observedUntil && !a.allowed:
		f.counts.Local++
		f.counts.Refused++
		return a, 0
	case leased:
		return answer{}, f.slice.refill(t, cost)
	}
	return answer{}, cost
}

// record caches the answer of the store to a check, and returns the answer to the check.
func (r *replica) record(answered *request, t int64, steady bool) answer {
	id, q, cost, leased := &answered.id, &answered.id.quota, answered.cost, answered.leased
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	observed := answered.counter
	a := observed.peek(q, 0, cost)
	a.allowed = answered.granted > 0
	f := s.keys[*id]
	if f == nil && a.allowed && !leased {
		s.limit(id.name).Answered++
		return a
	}
	f = s.keyState(id, t)
	f.counts.Answered++
	if answered.want > cost {
		f.slice.asking = false
	}
	if !a.allowed {
		f.counts.Refused++
	}
	longest := maxObservedAge
	if leased {
		longest = maxLeasedObservedAge
	}
	f.observe(observed.since(t), t+longest)
	if leased && a.allowed {
		if answered.granted > cost {
			f.counts.Leases++
		}
		f.slice.add(t, answered)
		if f.slice.left > 0 && !r.hasSlices.Load() {
			r.hasSlices.Store(true)
		}
	}
	a.remaining += f.slice.left
	return a
}

// recordFailure counts a check that the store did not answer, and how it was decided.
func (r *replica) recordFailure(id *id, a answer) {
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.limit(id.name)
	counts.StoreErrors++
	if !a.allowed {
		counts.Refused++
	}
	if f := s.keys[*id]; f != nil {
		f.slice.asking = false
	}
}

// observe caches the counter of the store.
func (f *keyState) observe(c counter, until int64) {
	f.observed, f.observedUntil = c, until
}

// peekObserved answers a request of that cost at t by the cached counter, without
// counting it.
func (f *keyState) peekObserved(q *quota, t, cost int64) answer {
	if f.observedUntil == 0 {
		return answer{allowed: true}
	}
	c := f.observed
	return c.peek(q, t, cost)
}

// keyState returns the state of a key, which it adds where there is none.
func (s *replicaShard) keyState(id *id, t int64) *keyState {
	f := s.keys[*id]
	if f == nil {
		if len(s.keys) >= s.maxKeys {
			s.evict(t)
		}
		f = &keyState{counts: s.limit(id.name)}
		kept := *id
		kept.key = strings.Clone(id.key) // it may be a substring of a larger string
		s.keys[kept] = f
	}
	return f
}

// evict makes room: it removes the first idle key of a few random ones, or else the last
// of them.
func (s *replicaShard) evict(t int64) {
	tries := 8
	for id, f := range s.keys {
		if tries--; tries == 0 || f.idle(t) {
			delete(s.keys, id)
			return
		}
	}
}

// idle reports whether f is no longer needed. The size of a slice is kept for a while
// after it was spent, for the next one.
func (f *keyState) idle(t int64) bool {
	unspent := f.slice.left > 0 && t < f.slice.until
	return t >= f.observedUntil && t-f.slice.began > 2*int64(sweepInterval) && !unspent
}

// maxLimits bounds the names of limits in the statistics, in each shard.
const maxLimits = 1000

// limit returns the counts of a limit.
func (s *replicaShard) limit(name string) *LimitStats {
	counts := s.limits[name]
	if counts == nil {
		if len(s.limits) >= maxLimits {
			name = ""
		}
		counts = s.limits[name]
	}
	if counts == nil {
		counts = &LimitStats{}
		s.limits[name] = counts
	}
	return counts
}
