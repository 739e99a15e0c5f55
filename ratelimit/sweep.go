package ratelimit

import (
	"context"
	"time"
)

// startSweep returns unused slices to the store in the background, as long as there are
// any slices.
func (r *Redis) startSweep() {
	if r.callerTime || !r.replica.hasSlices.Load() || !r.sweeping.CompareAndSwap(false, true) {
		return
	}
	r.background(func() {
		defer r.sweeping.Store(false)
		ticker := time.NewTicker(sweepInterval)
		defer ticker.Stop()
		for r.replica.hasSlices.Load() {
			select {
			case <-r.ctx.Done():
				return
			case now := <-ticker.C:
				t, _ := r.fallback.clock.read(now)
				r.refundToStore(r.replica.trim(t, false))
			}
		}
	})
}

// refundToStore returns parts of slices to the store. What does not arrive expires with
// its window.
func (r *Redis) refundToStore(refunds []refund) {
	calls := make([]call, len(r.batchers))
	flush := func(index int) {
		if c := &calls[index]; len(c.requests) > 0 {
			// A call of its own, since the batcher may still use it afterwards.
			r.batchers[index].do(context.Background(), &call{requests: c.requests}, r.budget)
			c.requests = nil
		}
	}
	for _, p := range refunds {
		key, bucket := storeKey(r.prefix, &p.id)
		index := bucket % len(r.batchers)
		calls[index].requests = append(calls[index].requests, request{
			key: key, cost: p.amount, at: p.at,
			quota: scriptQuota{kind: p.id.quota.kind + refundFlag, capacity: p.start.seconds, period: p.id.quota.period, nanos: p.start.nanos},
		})
		if len(calls[index].requests) == maxBatch {
			flush(index)
		}
	}
	for index := range calls {
		flush(index)
	}
}

// refund is a part of a slice that is returned to the window in which it was counted.
type refund struct {
	id     id
	amount int64
	start  storeTime
	at     int64
}

// trim takes what will not be spent soon, or everything, from all slices, and evicts
// idle keys. It returns the refunds. There are none for buckets, which have been refilled
// meanwhile.
func (r *replica) trim(t int64, everything bool) []refund {
	var refunds []refund
	held := false
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		now := s.advance(t, true)
		for id, f := range s.keys {
			back := f.slice.trim(now)
			if everything && now < f.slice.until {
				back += f.slice.left
				f.slice.left = 0
			}
			if back > 0 && id.quota.kind != tokenBucket {
				f.counts.Returned += uint64(back)
				refunds = append(refunds, refund{id, back, f.slice.start, now})
			}
			if f.idle(now) {
				delete(s.keys, id)
			}
			held = held || f.slice.left > 0
		}
		s.mu.Unlock()
	}
	r.hasSlices.Store(held)
	return refunds
}
