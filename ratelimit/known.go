package ratelimit

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clerkgate/clerkgate/policy"
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
	quota  quota
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

func (k *known) shard(id id) *knownShard {
	return &k.shards[id.hash(k.seed)>>58]
}

// answer answers a check without the store, or tells by a positive want for how
// much the store is to be asked.
func (k *known) answer(c *policy.LimitCheck, q *quota, leased bool, t int64, steady bool) (a answer, want int64) {
	id := id{c.Name, c.Key}
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	f := s.facts[id]
	if f == nil || f.quota != *q {
		counts := s.limit(c.Name)
		counts.Checked++
		if q.capacity == 0 {
			counts.Local++
			counts.Refused++
			return answer{}, 0
		}
		return answer{}, int64(c.Cost)
	}
	f.counts.Checked++
	cost := int64(c.Cost)
	a = f.recall(t, cost)
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
func (k *known) learn(c *policy.LimitCheck, q *quota, leased bool, asked *request, t int64, steady bool) answer {
	id := id{c.Name, c.Key}
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	cost := int64(c.Cost)
	heard := asked.counter
	a := heard.peek(*q, 0, cost)
	a.allowed = asked.granted > 0
	f := s.facts[id]
	if f == nil && a.allowed && !leased {
		s.limit(c.Name).Answered++
		return a
	}
	f = s.fact(id, q, t)
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
		f.slice.add(t, q, asked, cost)
		if f.slice.left > 0 && !k.slices.Load() {
			k.slices.Store(true)
		}
	}
	a.remaining += f.slice.left
	return a
}

// without notes what was said of a check that the store did not answer.
func (k *known) without(c *policy.LimitCheck, a answer) {
	id := id{c.Name, c.Key}
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.limit(c.Name)
	counts.StoreErrors++
	if !a.allowed {
		counts.Refused++
	}
	if f := s.facts[id]; f != nil {
		f.slice.asking = false
	}
}

// hear remembers what the store counted.
func (f *fact) hear(c counter, until int64) {
	f.heard, f.heardUntil = c, until
}

// recall answers from what the store counted last: whether that lets a request
// of that cost pass at t.
func (f *fact) recall(t, cost int64) answer {
	c := f.heard
	if c.kind == 0 {
		return answer{allowed: true}
	}
	return c.peek(f.quota, t, cost)
}

// fact returns what is known of a key under a quota, and makes room for it.
func (s *knownShard) fact(id id, q *quota, t int64) *fact {
	f := s.facts[id]
	if f == nil {
		if len(s.facts) >= s.maxFacts {
			s.forget(t)
		}
		f = &fact{counts: s.limit(id.name)}
		id.key = strings.Clone(id.key) // it may be a part of something large
		s.facts[id] = f
	}
	if f.quota != *q {
		*f = fact{quota: *q, counts: f.counts}
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
