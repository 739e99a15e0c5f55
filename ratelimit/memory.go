package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// The defaults of [Options].
const (
	DefaultMaxKeys = 1 << 18
	DefaultShards  = 64
)

// Options size a [Memory]. The zero value takes the defaults.
type Options struct {
	// MaxKeys is how many keys are remembered at most, over all limits. A key is
	// forgotten when its quota is whole again, or when room is needed. Default,
	// also for anything below 1: [DefaultMaxKeys].
	MaxKeys int
	// Shards is how many parts the table is split into, each with its own lock
	// and its share of MaxKeys; rounded up to a power of two, and down to
	// MaxKeys. Default, also for anything below 1: [DefaultShards].
	Shards int
}

// Memory is a [policy.Limiter] that counts in this process. It is safe for
// concurrent use, starts no goroutine and reads no clock; use [NewMemory], for
// the zero Memory refuses everything with an error.
//
// A Memory belongs to no policy. Keep the same one when the configuration is
// loaded anew: the counts of limits that did not change are kept. A key is counted
// apart for each instance of [Memory.Of], for each limit by name and definition,
// and for each quota it is judged by. Who changes between quotas, as by another
// plan, finds of each what they left of it. A limit that is changed begins anew.
//
// It never holds more than [Options.MaxKeys] keys. A key whose quota is whole
// again is forgotten at no loss; Take drops a few as it goes. Where room is
// still missing, the key that has been idle longest goes, and should it return
// it starts over with a whole quota. A key that has run out of quota goes only
// where its shard holds no other, and then the one that is soonest free. So
// whoever is limited stays limited, whatever else is sent, and washing a limit
// away before it is reached takes about MaxKeys other keys. Where nearly all of
// them have run out of quota, those that have not are counted only roughly:
// choose MaxKeys above the number of keys that are active in a window.
//
// Pass the time as [time.Now] gave it. Its monotonic reading is what counts, so
// setting the clock neither frees nor blocks anybody. (UTC, In, Local and Round
// remove that reading.) Times without one are taken at their word when they go
// forward, and when they go back the counts stay as they are and time goes on
// from there.
type Memory struct {
	clock  clock
	seed   maphash.Seed
	shift  int
	shards []shard
}

// NewMemory returns an empty limiter.
func NewMemory(o Options) *Memory {
	maxKeys := o.MaxKeys
	if maxKeys < 1 {
		maxKeys = DefaultMaxKeys
	}
	count := o.Shards
	if count < 1 {
		count = DefaultShards
	}
	count = powerOfTwo(count)
	for count > maxKeys {
		count /= 2
	}
	m := &Memory{
		seed:   maphash.MakeSeed(),
		shift:  64 - bits.TrailingZeros(uint(count)),
		shards: make([]shard, count),
	}
	for i := range m.shards {
		m.shards[i].seed = m.seed
		m.shards[i].maxKeys = min(maxKeys/count, math.MaxInt32-1)
	}
	return m
}

// Of returns the limiter of one instance, which counts apart from those of others.
func (m *Memory) Of(instance string) policy.Limiter { return memoryOf{m, realmOf(instance)} }

type memoryOf struct {
	memory *Memory
	realm  uint64
}

// Take is that of the Memory.
func (m memoryOf) Take(_ context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return m.memory.takeAll(m.realm, now, checks, results)
}

// Take counts each check as of now, independently of the others, and writes its
// answer to the result of the same index. A quota with a limit of 0 or less
// admits nothing. If a check makes no sense, because of an unknown algorithm, a
// window outside 1 ns to 52 days, a negative burst or a cost below 1, Take
// returns an error and counts nothing. It never waits, so ctx is not looked at.
func (m *Memory) Take(_ context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return m.takeAll(0, now, checks, results)
}

func (m *Memory) takeAll(realm uint64, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	if len(m.shards) == 0 {
		return errors.New("ratelimit: the limiter was not made by NewMemory")
	}
	if len(results) != len(checks) {
		return fmt.Errorf("ratelimit: room for %d results, but %d checks", len(results), len(checks))
	}
	var buf [fewChecks]quota
	quotas, err := newQuotas(buf[:0], checks)
	if err != nil {
		clear(results)
		return err
	}
	t, steady := m.clock.read(now)
	for i := range checks {
		a := m.take(realm^checks[i].Definition, &checks[i], &quotas[i], t, steady)
		a.write(&results[i], &checks[i], &quotas[i])
	}
	return nil
}

// take counts one check. t is what the clock reads.
func (m *Memory) take(realm uint64, c *policy.LimitCheck, q *quota, t int64, steady bool) answer {
	if q.capacity == 0 {
		return answer{}
	}
	hash := maphash.String(m.seed, c.Key)
	// The shard is chosen by the high bits, its chain by the low ones. With one
	// shard the shift is 64, which leaves 0.
	s := &m.shards[hash>>m.shift]

	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	slot := s.find(realm, c.Name, c.Key, q, hash)
	if slot == none {
		slot = s.insert(id{realm, c.Name, c.Key, *q}, hash)
	}
	a := s.entries[slot].take(q, t, int64(c.Cost))
	s.place(slot, t, a.wait)
	s.sweep(t)
	return a
}

// takeShare counts one check for a fleet of that size whose members know nothing of
// each other: as if all of them were asked the same. A request that would cost more
// than the whole quota so costs just that.
func (m *Memory) takeShare(id *id, cost, size, t int64, steady bool) answer {
	if q := &id.quota; cost <= q.capacity {
		cost = min(cost, q.capacity/size+1) * size // without overflow
		cost = min(cost, q.capacity)
	}
	c := policy.LimitCheck{Name: id.name, Key: id.key, Cost: int(cost)}
	a := m.take(id.realm, &c, &id.quota, t, steady)
	a.remaining /= size
	return a
}

// mirror has m know what the store counted, as of t, unless it knows of more.
func (m *Memory) mirror(id *id, counted counter, t int64, steady bool) {
	hash := id.hash(m.seed)
	s := &m.shards[hash>>m.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	slot := s.find(id.realm, id.name, id.key, &id.quota, hash)
	if slot == none {
		if counted.whole(&id.quota, t) {
			return
		}
		slot = s.insert(*id, hash)
	}
	e := &s.entries[slot]
	if counted.used(&id.quota, t) > e.used(&id.quota, t) {
		e.counter = counted
	}
	s.place(slot, t, e.peek(&id.quota, t, 1).wait)
	s.sweep(t)
}

// Len is how many keys are remembered.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += int(s.held)
		s.mu.Unlock()
	}
	return n
}

// powerOfTwo returns the smallest power of two that is at least n, for n up to
// 1 << 30, and that where n is greater.
func powerOfTwo(n int) int {
	return 1 << bits.Len(uint(min(n, 1<<30)-1))
}

var _ policy.Limiter = (*Memory)(nil)
