package ratelimit

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How long what the store said is remembered at most, so that who is let back in
// by an operator, or by a slice that was given back, gets in everywhere.
const (
	maxMemory       = int64(5 * time.Second)
	maxLeasedMemory = int64(250 * time.Millisecond)
)

// known is what an instance knows without asking the store: who is refused, and
// what slices of quotas it holds. All of it may be forgotten at any time, for
// then the store is asked.
type known struct {
	seed   maphash.Seed
	shards [64]knownShard
	// slices: there may be slices that are not spent.
	slices atomic.Bool
}

type knownShard struct {
	mu sync.Mutex
	passage
	facts    map[id]*fact
	maxFacts int
	limits   map[string]*LimitStats
}

// fact is what is known of one key.
type fact struct {
	counts *LimitStats
	// heard is what the store counted when it was asked last, in local time. It
	// counts no less since, so what that refuses is refused; it goes by heardUntil.
	heard      counter
	heardUntil int64
	slice      slice
}

func newKnown(maxKeys int) *known {
	if maxKeys < 1 {
		maxKeys = DefaultMaxKeys
	}
	k := &known{seed: maphash.MakeSeed()}
	for i := range k.shards {
		k.shards[i].facts = make(map[id]*fact)
		k.shards[i].limits = make(map[string]*LimitStats)
		k.shards[i].maxFacts = max(1, maxKeys/len(k.shards))
	}
	return k
}

func (k *known) shard(id *id) *knownShard {
	return &k.shards[id.hash(k.seed)>>58]
}

// answer answers a check without the store, or tells by a positive want for how
// much the store is to be asked.
func (k *known) answer(id *id, cost int64, leased bool, t int64, steady bool) (a answer, want int64) {
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	f := s.facts[*id]
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
	a = f.recall(&id.quota, t, cost)
	switch {
	case leased && f.slice.spend(t, cost):
		f.counts.Local++
		a.allowed, a.remaining = true, a.remaining+f.slice.left
		return a, 0
	case t < f.heardUntil && !a.allowed:
		f.counts.Local++
		f.counts.Refused++
		return a, 0
	case leased:
		return answer{}, f.slice.refill(t, cost)
	}
	return answer{}, cost
}

// learn takes what the store answered to a check, and says what that means.
func (k *known) learn(asked *request, t int64, steady bool) answer {
	id, q, cost, leased := &asked.id, &asked.id.quota, asked.cost, asked.leased
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	heard := asked.counter
	a := heard.peek(q, 0, cost)
	a.allowed = asked.granted > 0
	f := s.facts[*id]
	if f == nil && a.allowed && !leased {
		s.limit(id.name).Answered++
		return a
	}
	f = s.fact(id, t)
	f.counts.Answered++
	if asked.want > cost {
		f.slice.asking = false
	}
	if !a.allowed {
		f.counts.Refused++
	}
	longest := maxMemory
	if leased {
		longest = maxLeasedMemory
	}
	f.hear(heard.since(t), t+longest)
	if leased && a.allowed {
		if asked.granted > cost {
			f.counts.Leases++
		}
		f.slice.add(t, asked)
		if f.slice.left > 0 && !k.slices.Load() {
			k.slices.Store(true)
		}
	}
	a.remaining += f.slice.left
	return a
}

// without notes what was said of a check that the store did not answer.
func (k *known) without(id *id, a answer) {
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.limit(id.name)
	counts.StoreErrors++
	if !a.allowed {
		counts.Refused++
	}
	if f := s.facts[*id]; f != nil {
		f.slice.asking = false
	}
}

// hear remembers what the store counted.
func (f *fact) hear(c counter, until int64) {
	f.heard, f.heardUntil = c, until
}

// recall answers from what the store counted last: whether that lets a request
// of that cost pass at t.
func (f *fact) recall(q *quota, t, cost int64) answer {
	if f.heardUntil == 0 {
		return answer{allowed: true}
	}
	c := f.heard
	return c.peek(q, t, cost)
}

// fact returns what is known of a key, and makes room for it.
func (s *knownShard) fact(id *id, t int64) *fact {
	f := s.facts[*id]
	if f == nil {
		if len(s.facts) >= s.maxFacts {
			s.forget(t)
		}
		f = &fact{counts: s.limit(id.name)}
		kept := *id
		kept.key = strings.Clone(id.key) // it may be a part of something large
		s.facts[kept] = f
	}
	return f
}

// forget makes room: it takes the first of a few at random that is of no more
// use, or else the last of them.
func (s *knownShard) forget(t int64) {
	tries := 8
	for id, f := range s.facts {
		if tries--; tries == 0 || f.idle(t) {
			delete(s.facts, id)
			return
		}
	}
}

// idle reports whether f is of no more use. The size of a slice is for a while
// after it was spent.
func (f *fact) idle(t int64) bool {
	unspent := f.slice.left > 0 && t < f.slice.until
	return t >= f.heardUntil && t-f.slice.began > 2*int64(sweepInterval) && !unspent
}

// maxLimits bounds the names that are counted apart, in each shard.
const maxLimits = 1000

// limit returns the counts of a limit.
func (s *knownShard) limit(name string) *LimitStats {
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
