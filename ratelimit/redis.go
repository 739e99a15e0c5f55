package ratelimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	// storeTimeout is after how long a store that does not answer has failed.
	storeTimeout = time.Second
	// DefaultNetworkKeys and DefaultStrangerKeys bound what strangers can name.
	DefaultNetworkKeys  = 1 << 12
	DefaultStrangerKeys = 1 << 18
)

// RedisOptions tune a [Redis]. The zero value takes the defaults.
type RedisOptions struct {
	// Prefix begins every key in the store. Those who share it share counts.
	// Default: [DefaultPrefix].
	Prefix string
	// Budget is how long a Take waits for the store. Default: [DefaultBudget].
	Budget time.Duration
	// Fallback counts while the store does not answer, for the limits that want
	// that. Default: one of its own.
	Fallback *Memory
	// MaxKeys is how many keys this process remembers something about at most:
	// that they are refused, or a slice of their quota. Default, also for
	// anything below 1: [DefaultMaxKeys].
	MaxKeys int
	// StrangerKeys is how many keys of a limit that strangers can name, as by a
	// header, a path or an address, the store holds at most; NetworkKeys how many of
	// them one network can name. Keys beyond share a few counts. Default, also for
	// anything below 1: [DefaultStrangerKeys] and [DefaultNetworkKeys].
	StrangerKeys, NetworkKeys int

	// instants has the store judge at the time given to Take.
	instants bool
}

// Redis is a [policy.Limiter] that shares its counts with others, in a Redis
// server, a Redis Cluster, or a server that sentinels watch. It is safe for
// concurrent use; use [NewRedis] and Close.
//
// All limits of a request are judged in one round trip where their keys share a
// slot, which on one server they always do. Checks that come while three calls are
// under way go together in the next. Time is the server's.
//
// What the store counted last is remembered for five seconds, and what that
// refuses is refused here, without asking.
//
// A limit that is leased is spent here in slices, which the store has counted. No
// window sees more than the limit, over all instances; docs/limits.md has the
// bounds.
//
// No Take waits longer than the budget for the store. A call that takes longer goes
// on, up to a second: what it counted is counted, and what it tells is remembered.
// After three errors in a row, of which not to answer for a second is one, the store
// is not asked until a probe, four times a second, gets an answer. Whoever has no
// answer in time is answered as the check's OnStoreError says. Locally that is: from
// what this process heard last, as if all others of the fleet let pass as much as
// this one does meanwhile.
type Redis struct {
	client   redis.UniversalClient
	prefix   string
	budget   time.Duration // of a Take
	deadline budget        // of a call
	fleet    *fleet
	instants bool
	// admits is what the censuses of a network and of a limit admit in each group.
	admits   [2]int
	fallback *Memory
	known    *known
	lanes    []*lane
	counts   storeCounts
	sweeping atomic.Bool

	ctx    context.Context
	cancel context.CancelFunc
	// closing guards the start of background work against Close.
	closing sync.Mutex
	working sync.WaitGroup
}

// NewRedis returns a limiter that counts by client, which stays the caller's to
// close, later than the limiter.
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
		client: client, prefix: o.Prefix, budget: o.Budget, deadline: budget{length: max(o.Budget, storeTimeout)}, instants: o.instants,
		fleet:    newFleetOf(0),
		admits:   [2]int{max(1, o.NetworkKeys/len(tags)), max(1, o.StrangerKeys/len(tags))},
		fallback: o.Fallback, known: newKnown(o.MaxKeys),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	lanes := len(tags)
	if _, ok := client.(*redis.Client); ok {
		lanes = 1 // one server, where any keys can go together
	}
	for range lanes {
		r.lanes = append(r.lanes, &lane{send: r.send, late: r.learnLate, watch: r.watch})
	}
	return r
}

// Close ends what runs in the background. Slices that are not spent are given
// back if the store answers within the budget. A limiter is not to be used after
// it.
func (r *Redis) Close() {
	r.closing.Lock()
	r.cancel()
	r.closing.Unlock()
	r.working.Wait()
	t, _ := r.fallback.clock.read(time.Now())
	r.giveBack(r.known.trim(t, true))
}

// background runs work until it ends by itself, or ctx does.
func (r *Redis) background(work func()) {
	r.closing.Lock()
	defer r.closing.Unlock()
	if r.ctx.Err() == nil {
		r.working.Go(work)
	}
}

// Of returns the limiter of one instance, which counts apart from those of others.
// It ends with r.
func (r *Redis) Of(instance string) policy.Limiter { return redisOf{r, newFleetOf(realmOf(instance))} }

type redisOf struct {
	redis *Redis
	fleet *fleet
}

// Take is that of the Redis.
func (r redisOf) Take(ctx context.Context, now time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	return r.redis.takeAll(ctx, r.fleet, now, checks, results)
}

// Take counts each check, independently of the others. It refuses with an error
// the checks that make no sense, and counts nothing then; and where the store
// does not answer, the requests one of whose checks wants that.
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
	var room [fewChecks]question
	questions := room[:0]
	for i := range checks {
		leased := checks[i].Consistency == policy.Leased && quotas[i].lease()
		q := question{index: i, id: newID(f.realm, &checks[i], &quotas[i]), leased: leased}
		var a answer
		if a, q.want = r.known.answer(&q.id, int64(checks[i].Cost), leased, t, steady); q.want > 0 {
			questions = append(questions, q)
			continue
		}
		a.write(&results[i], &checks[i], &quotas[i])
	}
	if len(questions) == 0 {
		return nil
	}
	r.join(f)
	journey := r.ask(ctx, checks, questions, t)
	for i := range questions {
		q := &questions[i]
		check := &checks[q.index]
		var a answer
		if q.err == nil {
			a = r.learn(q.answered, t, steady)
		} else {
			a, q.err = r.withoutStore(f, check, &q.id, t, steady)
			r.known.without(&q.id, a)
		}
		a.write(&results[q.index], check, &q.id.quota)
		err = cmp.Or(err, q.err)
	}
	journey.end()
	r.sweepSlices()
	return err
}

// learn takes what the store answered, for as long as it does and for when it does
// not.
func (r *Redis) learn(asked *request, t int64, steady bool) answer {
	if asked.mirrored {
		r.fallback.mirror(&asked.id, asked.counter.since(t), t, steady)
	}
	return r.known.learn(asked, t, steady)
}

// learnLate takes an answer for which nobody waited. What it counted was counted.
func (r *Redis) learnLate(c *call) {
	t, steady := r.fallback.clock.read(time.Now())
	for i := range c.requests {
		asked := &c.requests[i]
		if r.instants {
			t, steady = asked.at, false
		}
		if asked.asked {
			r.learn(asked, t, steady)
		}
	}
}

// question is a check that is put to the store.
type question struct {
	index  int // of the check
	id     id
	want   int64
	leased bool
	// flight and place are where its request is.
	flight, place int
	// answered is the request with its answer, unless err tells why there is none.
	answered *request
	err      error
}

// flight is a call in its lane.
type flight struct {
	lane *lane
	call call
	err  error
}

// journey holds the flights of one Take. Journeys are used again, with what their
// calls need to wait.
type journey struct {
	flights []flight // never moved, for lanes keep the calls
}

var journeys = sync.Pool{New: func() any { return &journey{make([]flight, 0, fewChecks)} }}

// newJourney returns one with room for so many flights.
func newJourney(n int) *journey {
	if n > fewChecks {
		return &journey{make([]flight, 0, n)}
	}
	return journeys.Get().(*journey)
}

// flight returns the flight of a lane.
func (j *journey) flight(l *lane) int {
	for i := range j.flights {
		if j.flights[i].lane == l {
			return i
		}
	}
	n := len(j.flights)
	j.flights = j.flights[:n+1]
	f := &j.flights[n]
	f.lane, f.err, f.call.requests = l, nil, f.call.requests[:0]
	f.call.state.Store(waiting)
	return n
}

// abandoned reports whether a lane still has one of the calls.
func (j *journey) abandoned() bool {
	for i := range j.flights {
		if j.flights[i].call.state.Load() == left {
			return true
		}
	}
	return false
}

// end lets the journey be used again, unless a lane still has one of its calls.
func (j *journey) end() {
	if cap(j.flights) > fewChecks || j.abandoned() {
		return
	}
	j.flights = j.flights[:0]
	journeys.Put(j)
}

// ask puts questions to the store: those of one lane in one call, and the lanes
// at once. The answers are the journey's, until it ends.
func (r *Redis) ask(ctx context.Context, checks []policy.LimitCheck, questions []question, t int64) *journey {
	j := newJourney(len(questions))
	for i := range questions {
		q := &questions[i]
		check := &checks[q.index]
		key, bucket := storeKey(r.prefix, &q.id)
		q.flight = j.flight(r.lanes[bucket%len(r.lanes)])
		c := &j.flights[q.flight].call
		q.place = len(c.requests)
		asked := newRequest(key, &q.id, int64(check.Cost), q.want, t)
		asked.asked, asked.leased = true, q.leased
		asked.mirrored = check.OnStoreError == "" || check.OnStoreError == policy.StoreErrorLocal
		asked.census = censusOf(key, &q.id, check.Strangers)
		c.requests = append(c.requests, asked)
	}
	r.fly(ctx, j.flights)
	for i := range questions {
		q := &questions[i]
		f := &j.flights[q.flight]
		q.answered, q.err = &f.call.requests[q.place], f.err
	}
	return j
}

// fly has all flights at once.
func (r *Redis) fly(ctx context.Context, flights []flight) {
	var others sync.WaitGroup
	for i := 1; i < len(flights); i++ {
		f := &flights[i]
		others.Go(func() { f.err = f.lane.do(ctx, &f.call, r.budget) })
	}
	flights[0].err = flights[0].lane.do(ctx, &flights[0].call, r.budget)
	others.Wait()
}

// send has one script call judge all requests of the calls.
func (r *Redis) send(calls []*call) error {
	ctx := r.deadline.context()
	r.counts.trip(calls)
	err := run(ctx, r.client, calls, r.admits, r.instants)
	if redis.HasErrorPrefix(err, "TRYAGAIN") {
		// The slot is being moved, and only some of the keys have been.
		err = r.sendEach(ctx, calls)
	}
	if err != nil {
		r.counts.failures.Add(1)
	}
	return err
}

// sendEach sends every request by itself.
func (r *Redis) sendEach(ctx context.Context, calls []*call) error {
	for _, c := range calls {
		for i := range c.requests {
			alone := &call{requests: c.requests[i : i+1]}
			r.counts.trip([]*call{alone})
			if err := run(ctx, r.client, []*call{alone}, r.admits, r.instants); err != nil {
				return err
			}
		}
	}
	return nil
}

// watch probes the store behind an open lane until it counts again.
func (r *Redis) watch(l *lane) {
	bucket := slices.Index(r.lanes, l)
	key := r.prefix + ":limit:{" + tags[bucket] + "}:probe"
	probe := &id{quota: quota{kind: fixedWindow, capacity: maxCapacity, period: int64(time.Second)}}
	r.background(func() {
		l.breaker.watch(r.ctx, func() error {
			return r.send([]*call{{requests: []request{newRequest(key, probe, 1, 1, 0)}}})
		})
	})
}

// withoutStore answers as the limit wants it while the store does not.
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

// ErrStore is why a limiter does not answer: the store does not, and the limit
// is not to do without.
var ErrStore = errors.New("the store is unavailable")

var _ policy.Limiter = (*Redis)(nil)
