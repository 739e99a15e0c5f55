package ratelimit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/policy"
)

// query is a check that the store must decide.
type query struct {
	index  int // of the check
	id     id
	want   int64
	leased bool
	// callIndex and requestIndex are where its request is in the callSet.
	callIndex, requestIndex int
	// answer is the request with its answer, unless there is an err.
	answer *request
	err    error
}

// storeCall is a call with its batcher and its error.
type storeCall struct {
	batcher *batcher
	call    call
	err     error
}

// callSet holds the calls of one Take. It is pooled, with the channels and timers of
// its calls.
type callSet struct {
	calls []storeCall // never moved in memory, since batchers have pointers to the calls
}

var callPool = sync.Pool{New: func() any { return &callSet{make([]storeCall, 0, fewChecks)} }}

// newCallSet returns a call set with room for n calls, from the pool where it is large
// enough.
func newCallSet(n int) *callSet {
	if n > fewChecks {
		return &callSet{make([]storeCall, 0, n)}
	}
	return callPool.Get().(*callSet)
}

// callFor returns the index of the call of a batcher, which it adds where there is none.
func (s *callSet) callFor(b *batcher) int {
	for i := range s.calls {
		if s.calls[i].batcher == b {
			return i
		}
	}
	n := len(s.calls)
	s.calls = s.calls[:n+1]
	f := &s.calls[n]
	f.batcher, f.err, f.call.requests = b, nil, f.call.requests[:0]
	f.call.state.Store(waiting)
	return n
}

// inUse reports whether a batcher still uses one of the calls.
func (s *callSet) inUse() bool {
	for i := range s.calls {
		if s.calls[i].call.state.Load() == abandoned {
			return true
		}
	}
	return false
}

// release returns the call set to the pool, unless a batcher still uses one of its
// calls.
func (s *callSet) release() {
	if cap(s.calls) > fewChecks || s.inUse() {
		return
	}
	s.calls = s.calls[:0]
	callPool.Put(s)
}

// ask sends queries to the store: those of one batcher in one call, and the calls
// concurrently. The answers belong to the call set, until it is released.
func (r *Redis) ask(ctx context.Context, checks []policy.LimitCheck, queries []query, t int64) *callSet {
	set := newCallSet(len(queries))
	for i := range queries {
		q := &queries[i]
		check := &checks[q.index]
		key, bucket := storeKey(r.prefix, &q.id)
		q.callIndex = set.callFor(r.batchers[bucket%len(r.batchers)])
		c := &set.calls[q.callIndex].call
		q.requestIndex = len(c.requests)
		request := newRequest(key, &q.id, int64(check.Cost), q.want, t)
		request.fromCheck, request.leased = true, q.leased
		request.mirror = check.OnStoreError == "" || check.OnStoreError == policy.StoreErrorLocal
		request.census = censusOf(key, &q.id, check.Strangers)
		c.requests = append(c.requests, request)
	}
	r.sendAll(ctx, set.calls)
	for i := range queries {
		q := &queries[i]
		f := &set.calls[q.callIndex]
		q.answer, q.err = &f.call.requests[q.requestIndex], f.err
	}
	return set
}

// sendAll sends all calls concurrently, and waits for them.
func (r *Redis) sendAll(ctx context.Context, calls []storeCall) {
	var others sync.WaitGroup
	for i := 1; i < len(calls); i++ {
		f := &calls[i]
		others.Go(func() { f.err = f.batcher.do(ctx, &f.call, r.budget) })
	}
	calls[0].err = calls[0].batcher.do(ctx, &calls[0].call, r.budget)
	others.Wait()
}

// execute runs all requests of the calls in one call of the script.
func (r *Redis) execute(calls []*call) error {
	ctx := r.callBudget.context()
	r.counts.addCall(calls)
	err := run(ctx, r.client, calls, r.censusLimits, r.callerTime)
	if redis.HasErrorPrefix(err, "TRYAGAIN") {
		// The slot is being moved, and only some of the keys have been.
		err = r.executeEach(ctx, calls)
	}
	if err != nil {
		r.counts.failures.Add(1)
	}
	return err
}

// executeEach runs every request in a call of its own.
func (r *Redis) executeEach(ctx context.Context, calls []*call) error {
	for _, c := range calls {
		for i := range c.requests {
			alone := &call{requests: c.requests[i : i+1]}
			r.counts.addCall([]*call{alone})
			if err := run(ctx, r.client, []*call{alone}, r.censusLimits, r.callerTime); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe probes the store of a batcher whose breaker is open until it answers, which
// closes the breaker.
func (r *Redis) probe(b *batcher) {
	bucket := slices.Index(r.batchers, b)
	key := r.prefix + ":limit:{" + tags[bucket] + "}:probe"
	probe := &id{quota: quota{kind: fixedWindow, capacity: maxCapacity, period: int64(time.Second)}}
	r.background(func() {
		b.breaker.watch(r.ctx, func() error {
			return r.execute([]*call{{requests: []request{newRequest(key, probe, 1, 1, 0)}}})
		})
	})
}
