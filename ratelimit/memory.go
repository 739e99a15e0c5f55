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

// Options are those of [NewMemory]. The zero value is valid.
type Options struct {
	// MaxKeys is how many keys are counted at most, over all limits. A key is evicted
	// when nothing of its quota is used any more, or when room is needed. Default,
	// also for values below 1: [DefaultMaxKeys].
	MaxKeys int
	// Shards is how many parts the table is split into, each with its own lock
	// and its share of MaxKeys; rounded up to a power of two, and down to
	// MaxKeys. Default, also for values below 1: [DefaultShards].
	Shards int
}

// Memory is a [policy.Limiter] that counts in this process. It is safe for
// concurrent use, starts no goroutine and reads no clock. Use [NewMemory]: Take of the
// zero Memory returns an error.
//
// A Memory belongs to no policy. Keep the same one when the configuration is
// reloaded: the counts of limits that did not change are kept. A key is counted
// separately for each instance of [Memory.Of], for each limit by name and definition,
// and for each quota. A user who changes between quotas, as by another plan, has of each
// what is left of it. A limit that is changed starts with new counts.
//
// It never holds more than [Options.MaxKeys] keys. A key of which no quota is used any
// more is removed at no loss; Take removes a few in passing. Where room is still
// missing, the key that has been idle longest is evicted; should it return, it starts
// with a full quota. A key that has run out of quota is evicted only where its shard
// holds no other, and then the one that is allowed again soonest. So a client that is
// limited stays limited, whatever other clients send, and evicting a key before it is
// limited takes about MaxKeys other keys. Where nearly all keys have run out of quota,
// those that have not are counted only roughly: choose MaxKeys above the number of keys
// that are active in a window.
//
// Pass the time as [time.Now] returned it: its monotonic reading is used, so setting
// the clock neither resets nor extends a limit. (UTC, In, Local and Round remove that
// reading.) Times without one may go forward; when they go back, the counts stay as they
// are and time goes on from the latest one.
type Memory struct {
	clock  clock
	seed   maphash.Seed
	shift  int
	shards []shard
}

// NewMemory returns a limiter that has counted nothing.
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

// Of returns the limiter of one Clerk instance, whose counts are separate from those of
// others.
func (m *Memory) Of(instance string) policy.Limiter { return instanceMemory{m, namespaceOf(instance)} }

type instanceMemory struct {
	memory    *Memory
	namespace uint64
}

// Take is [Memory.Take], for one instance.
func (m instanceMemory) Take(_ context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return m.memory.takeAll(m.namespace, now, checks, results)
}

// Take counts each check as of now, independently of the others, and writes its result
// to the same index of results. A quota with a limit of 0 or less denies everything. If
// a check is invalid, by an unknown algorithm, a window outside 1 ns to 52 days, a
// negative burst or a cost below 1, Take returns an error and counts nothing. It never
// waits, so ctx is not used.
func (m *Memory) Take(_ context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return m.takeAll(0, now, checks, results)
}

func (m *Memory) takeAll(namespace uint64, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
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
		a := m.take(namespace^checks[i].Definition, &checks[i], &quotas[i], t, steady)
		a.write(&results[i], &checks[i], &quotas[i])
	}
	return nil
}

// take counts one check at t.
func (m *Memory) take(namespace uint64, c *policy.LimitCheck, q *quota, t int64, steady bool) answer {
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
	slot := s.find(namespace, c.Name, c.Key, q, hash)
	if slot == none {
		slot = s.insert(id{namespace, c.Name, c.Key, *q}, hash)
	}
	a := s.entries[slot].take(q, t, int64(c.Cost))
	s.reorder(slot, t, a.wait)
	s.sweep(t)
	return a
}

// takeShare counts one check while the store is unreachable, for a fleet of that size:
// as if all of its processes got the same requests. A request that would so cost more
// than the whole quota costs exactly the quota.
func (m *Memory) takeShare(id *id, cost, size, t int64, steady bool) answer {
	if q := &id.quota; cost <= q.capacity {
		cost = min(cost, q.capacity/size+1) * size // without overflow
		cost = min(cost, q.capacity)
	}
	c := policy.LimitCheck{Name: id.name, Key: id.key, Cost: int(cost)}
	a := m.take(id.namespace, &c, &id.quota, t, steady)
	a.remaining /= size
	return a
}

// mirror copies a counter of the store, as of t, unless m has counted more.
func (m *Memory) mirror(id *id, counted counter, t int64, steady bool) {
	hash := id.hash(m.seed)
	s := &m.shards[hash>>m.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.advance(t, steady)
	slot := s.find(id.namespace, id.name, id.key, &id.quota, hash)
	if slot == none {
		if counted.unused(&id.quota, t) {
			return
		}
		slot = s.insert(*id, hash)
	}
	e := &s.entries[slot]
	if counted.used(&id.quota, t) > e.used(&id.quota, t) {
		e.counter = counted
	}
	s.reorder(slot, t, e.peek(&id.quota, t, 1).wait)
	s.sweep(t)
}

// Len returns how many keys are counted.
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
