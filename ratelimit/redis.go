package ratelimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/policy"
)

// The defaults of [RedisOptions].
const (
	DefaultPrefix = "clerkgate"
	DefaultBudget = 10 * time.Millisecond
	// storeTimeout is the time after which a call to the store has failed.
	storeTimeout = time.Second
	// DefaultNetworkKeys and DefaultStrangerKeys bound the keys that anonymous clients
	// can choose.
	DefaultNetworkKeys  = 1 << 12
	DefaultStrangerKeys = 1 << 18
)

// RedisOptions are those of [NewRedis]. The zero value is valid.
type RedisOptions struct {
	// Prefix is the prefix of every key in the store. Limiters with the same prefix share
	// their counts. Default: [DefaultPrefix].
	Prefix string
	// Budget is how long a Take waits for the store. Default: [DefaultBudget].
	Budget time.Duration
	// Fallback counts while the store does not answer, for limits whose OnStoreError is
	// [policy.StoreErrorLocal]. Default: a new one.
	Fallback *Memory
	// MaxKeys is how many keys this process caches at most: those that are denied, and
	// slices of leased quotas. Default, also for values below 1: [DefaultMaxKeys].
	MaxKeys int
	// StrangerKeys is how many keys of a limit the store holds at most where anonymous
	// clients can choose them, as by a header, a path or an address; NetworkKeys how many
	// of them one network can choose. Keys beyond that share a few counters. Default,
	// also for values below 1: [DefaultStrangerKeys] and [DefaultNetworkKeys].
	StrangerKeys, NetworkKeys int

	// callerTime has the store decide at the time given to Take, for tests.
	callerTime bool
}

// Redis is a [policy.Limiter] that shares its counts with others, in a Redis
// server, a Redis Cluster, or a server behind Sentinels. It is safe for concurrent use;
// use [NewRedis] and Close.
//
// All limits of a request are checked in one round trip where their keys share a
// slot, which on one server they always do. Checks that come while three calls are
// in flight are sent together in the next. The clock is that of the server.
//
// The last counts of the store are cached for five seconds: a request that they deny is
// denied without a round trip.
//
// A limit whose consistency is leased is taken from the store in slices and spent here.
// No window allows more than the limit, over all processes; docs/limits.md has the
// bounds.
//
// No Take waits longer than the budget for the store. A call that takes longer goes
// on in the background, up to a second: it is counted, and its answer is cached. After
// three consecutive errors, of which a timeout of a second is one, a circuit breaker
// opens: the store is not asked until a probe, four times a second, gets an answer. A
// check without an answer in time is decided by its OnStoreError. If that is local, this
// process continues from the last counts of the store, as if every other process of the
// fleet allowed as much as this one.
type Redis struct {
	client     redis.UniversalClient
	prefix     string
	budget     time.Duration // of a Take
	callBudget budget        // of a call to the store
	fleet      *fleet
	callerTime bool
	// censusLimits are how many keys the census of a network and that of a limit admit,
	// in each group of keys.
	censusLimits [2]int
	fallback     *Memory
	replica      *replica
	batchers     []*batcher
	counts       storeCounts
	sweeping     atomic.Bool

	ctx    context.Context
	cancel context.CancelFunc
	// closing guards the start of background work against Close.
	closing sync.Mutex
	working sync.WaitGroup
}

// NewRedis returns a limiter that counts in the store of client. The caller closes the
// client, after the limiter.
func NewRedis(client redis.UniversalClient, o RedisOptions) *Redis {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	if o.NetworkKeys < 1 {
		o.NetworkKeys = DefaultNetworkKeys
	}
	if o.StrangerKeys < 1 {
		o.StrangerKeys = DefaultStrangerKeys
	}
	if o.Fallback == nil {
		o.Fallback = NewMemory(Options{})
	}
	r := &Redis{
		client: client, prefix: o.Prefix, budget: o.Budget, callBudget: budget{length: max(o.Budget, storeTimeout)}, callerTime: o.callerTime,
		fleet:        newFleetOf(0),
		censusLimits: [2]int{max(1, o.NetworkKeys/len(tags)), max(1, o.StrangerKeys/len(tags))},
		fallback:     o.Fallback, replica: newReplica(o.MaxKeys),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	count := len(tags)
	if _, ok := client.(*redis.Client); ok {
		count = 1 // one server, where any keys can go together
	}
	for range count {
		r.batchers = append(r.batchers, &batcher{execute: r.execute, onLate: r.recordLate, onOpen: r.probe})
	}
	return r
}

// Close stops the background work. Slices that are not spent are returned to the store
// if it answers within the budget. The limiter must not be used after it.
func (r *Redis) Close() {
	r.closing.Lock()
	r.cancel()
	r.closing.Unlock()
	r.working.Wait()
	t, _ := r.fallback.clock.read(time.Now())
	r.refundToStore(r.replica.trim(t, true))
}

// background runs work in a goroutine, unless r is closed. Close waits for it.
func (r *Redis) background(work func()) {
	r.closing.Lock()
	defer r.closing.Unlock()
	if r.ctx.Err() == nil {
		r.working.Go(work)
	}
}

// Of returns the limiter of one Clerk instance, whose counts are separate from those of
// others. It must not be used after r is closed.
func (r *Redis) Of(instance string) policy.Limiter {
	return instanceRedis{r, newFleetOf(namespaceOf(instance))}
}

type instanceRedis struct {
	redis *Redis
	fleet *fleet
}

// Take is [Redis.Take], for one instance.
func (r instanceRedis) Take(ctx context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return r.redis.takeAll(ctx, r.fleet, now, checks, results)
}

// Take counts each check, independently of the others, and writes its result to the
// same index of results. If a check is invalid, it returns an error and counts nothing.
// If the store does not answer and a check's OnStoreError is deny, the error is
// [ErrStore].
func (r *Redis) Take(ctx context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return r.takeAll(ctx, r.fleet, now, checks, results)
}

func (r *Redis) takeAll(ctx context.Context, f *fleet, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	if len(results) != len(checks) {
		return fmt.Errorf("ratelimit: room for %d results, but %d checks", len(results), len(checks))
	}
	var buf [fewChecks]quota
	quotas, err := newQuotas(buf[:0], checks)
	if err != nil {
		clear(results)
		return err
	}
	t, steady := r.fallback.clock.read(now)
	var room [fewChecks]query
	queries := room[:0]
	for i := range checks {
		leased := checks[i].Consistency == policy.Leased && quotas[i].lease()
		q := query{index: i, id: newID(f.namespace, &checks[i], &quotas[i]), leased: leased}
		var a answer
		if a, q.want = r.replica.answerLocally(&q.id, int64(checks[i].Cost), leased, t, steady); q.want > 0 {
			queries = append(queries, q)
			continue
		}
		a.write(&results[i], &checks[i], &quotas[i])
	}
	if len(queries) == 0 {
		return nil
	}
	r.joinFleet(f)
	calls := r.ask(ctx, checks, queries, t)
	for i := range queries {
		q := &queries[i]
		check := &checks[q.index]
		var a answer
		if q.err == nil {
			a = r.record(q.answer, t, steady)
		} else {
			a, q.err = r.withoutStore(f, check, &q.id, t, steady)
			r.replica.recordFailure(&q.id, a)
		}
		a.write(&results[q.index], check, &q.id.quota)
		err = cmp.Or(err, q.err)
	}
	calls.release()
	r.startSweep()
	return err
}

// record caches an answer of the store, also in the fallback for checks that use it.
func (r *Redis) record(answered *request, t int64, steady bool) answer {
	if answered.mirror {
		r.fallback.mirror(&answered.id, answered.counter.since(t), t, steady)
	}
	return r.replica.record(answered, t, steady)
}

// recordLate records an answer that came after its caller had stopped waiting: what the
// store counted is counted.
func (r *Redis) recordLate(c *call) {
	t, steady := r.fallback.clock.read(time.Now())
	for i := range c.requests {
		answered := &c.requests[i]
		if r.callerTime {
			t, steady = answered.at, false
		}
		if answered.fromCheck {
			r.record(answered, t, steady)
		}
	}
}

// withoutStore decides a check that the store did not answer, by its OnStoreError.
func (r *Redis) withoutStore(f *fleet, c *policy.LimitCheck, id *id, t int64, steady bool) (answer, error) {
	switch c.OnStoreError {
	case "", policy.StoreErrorLocal:
		return r.fallback.takeShare(id, int64(c.Cost), f.size.Load(), t, steady), nil
	case policy.StoreErrorAllow:
		return answer{allowed: true, remaining: id.quota.capacity}, nil
	default:
		return answer{}, fmt.Errorf("ratelimit: limit %q: %w", c.Name, ErrStore)
	}
}

// ErrStore is the error of a check whose OnStoreError is deny while the store does not
// answer.
var ErrStore = errors.New("the store is unavailable")

var _ policy.Limiter = (*Redis)(nil)
