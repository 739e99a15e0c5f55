package ratelimit

import (
	"context"
	"time"
)

// sweepSlices sees to it that slices that nobody spends are given back, as long
// as there are any.
func (r *Redis) sweepSlices() {
	if r.instants || !r.known.slices.Load() || !r.sweeping.CompareAndSwap(false, true) {
		return
	}
	r.background(func() {
		defer r.sweeping.Store(false)
		ticker := time.NewTicker(sweepInterval)
		defer ticker.Stop()
		for r.known.slices.Load() {
			select {
			case <-r.ctx.Done():
				return
			case now := <-ticker.C:
				t, _ := r.fallback.clock.read(now)
				r.giveBack(r.known.trim(t, false))
			}
		}
	})
}

// giveBack returns parts of slices to the store. What does not get there lapses.
func (r *Redis) giveBack(parts []part) {
	calls := make([]call, len(r.lanes))
	flush := func(lane int) {
		if c := &calls[lane]; len(c.requests) > 0 {
			// A call of its own, for the lane may keep it.
			r.lanes[lane].do(context.Background(), &call{requests: c.requests}, r.budget)
			c.requests = nil
		}
	}
	for _, p := range parts {
		key, bucket := storeKey(r.prefix, &p.id)
		lane := bucket % len(r.lanes)
		calls[lane].requests = append(calls[lane].requests, request{
			key: key, cost: p.amount, at: p.at,
			quota: scriptQuota{kind: p.id.quota.kind + gift, capacity: p.start.seconds, period: p.id.quota.period, nanos: p.start.nanos},
		})
		if len(calls[lane].requests) == maxBatch {
			flush(lane)
		}
	}
	for lane := range calls {
		flush(lane)
	}
}

// part of a slice, to be given back to the window it was counted in.
type part struct {
	id     id
	amount int64
	start  instant
	at     int64
}

// trim takes from all slices what is not about to be spent, or everything, and
// forgets what is of no more use. What is left of a bucket's slice just lapses,
// for the bucket has filled up meanwhile.
func (k *known) trim(t int64, everything bool) []part {
	var parts []part
	held := false
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		now := s.advance(t, true)
		for id, f := range s.facts {
			back := f.slice.trim(now)
			if everything && now < f.slice.until {
				back += f.slice.left
				f.slice.left = 0
			}
			if back > 0 && id.quota.kind != tokenBucket {
				f.counts.Returned += uint64(back)
				parts = append(parts, part{id, back, f.slice.start, now})
			}
			if f.idle(now) {
				delete(s.facts, id)
			}
			held = held || f.slice.left > 0
		}
		s.mu.Unlock()
	}
	k.slices.Store(held)
	return parts
}
