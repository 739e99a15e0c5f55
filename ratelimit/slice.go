package ratelimit

import "time"

const (
	// sliceTarget is how long a slice should last: it grows and shrinks to that.
	sliceTarget = int64(50 * time.Millisecond)
	// sliceGrowth is by how much a slice is larger than the one before at most.
	sliceGrowth = 8
	// sweepInterval is how often slices that are not being spent are given back.
	sweepInterval = 500 * time.Millisecond
	// bucketLease is how long a slice of a token bucket can be spent at most.
	bucketLease = int64(time.Second)
	// bucketShare is the part of a bucket, one in so many, that is kept back for
	// what slices hold.
	bucketShare = 8
)

// slice is a part of a quota that was counted in the store and is spent here. It
// is not to be spent after the window it was counted in: so what passes in a
// window, over all instances, is never more than was counted.
//
// A slice of a bucket can be spent for a time d, in which the bucket regains
// r = d/T. Any interval i can then see what was counted in i + d: at most the
// capacity and (i + d)/T. So buckets that are leased hold r less.
type slice struct {
	left  int64
	size  int64
	began int64
	until int64
	start instant
	// asking: a larger slice is on its way, and nobody else is to ask for one.
	asking bool
}

// lease makes q the quota that slices are taken of, and reports whether there can
// be any.
func (q *quota) lease() bool {
	if q.kind != tokenBucket {
		return true
	}
	if q.capacity < bucketShare {
		return false
	}
	q.capacity -= (q.capacity + bucketShare - 1) / bucketShare
	return true
}

// leaseTime is how long a slice of q, which is leased, can be spent, from when it
// was asked for. Of a window that is to its end, which the answer tells.
func (q *quota) leaseTime(asked *request) int64 {
	if q.kind != tokenBucket {
		return q.period + asked.counter.at
	}
	// What was kept back is no less than a seventh of what is left.
	return min(bucketLease, q.capacity/(bucketShare-1)*q.period)
}

// spend takes cost from the slice, if that much is left and may be spent at t.
func (s *slice) spend(t, cost int64) bool {
	if cost > s.left || t >= s.until {
		return false
	}
	s.left -= cost
	return true
}

// refill tells how much to ask for. The first slice is no more than the cost.
func (s *slice) refill(t, cost int64) int64 {
	if s.asking {
		return cost
	}
	next := s.size
	if s.size > 0 {
		// What is spent in the target time, if it goes on like this.
		elapsed := max(1, t-s.began)
		next = int64(float64(s.size-s.left) * float64(sliceTarget) / float64(elapsed))
		next = min(max(next, 1), sliceGrowth*s.size, maxCapacity)
	}
	want := max(cost, next)
	s.asking = want > cost
	return want
}

// add puts what was granted, less the cost, into the slice.
func (s *slice) add(t int64, asked *request) {
	q, cost := &asked.id.quota, asked.cost
	until := t + q.leaseTime(asked)
	surplus := asked.granted - cost
	switch {
	case asked.want == cost && t < s.until && s.left > 0:
		return // a request that did not wait for the slice that is on its way
	case q.kind != tokenBucket && s.start == asked.start:
		surplus += s.left
	}
	*s = slice{left: surplus, size: surplus + cost, began: t, until: until, start: asked.start, asking: s.asking}
}

// trim gives back what would not be spent before the next two sweeps if things
// go on as since the slice began.
func (s *slice) trim(t int64) int64 {
	elapsed := t - s.began
	if s.left == 0 || t >= s.until || elapsed < int64(sweepInterval) {
		return 0
	}
	spent := s.size - s.left
	keep := int64(2 * float64(spent) * float64(sweepInterval) / float64(elapsed))
	back := max(0, s.left-keep)
	s.left -= back
	s.size -= back
	return back
}
