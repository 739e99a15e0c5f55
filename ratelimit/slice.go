package ratelimit

import "time"

const (
	// sliceTarget is how long a slice should last, in nanoseconds: its size is adapted to
	// that.
	sliceTarget = int64(50 * time.Millisecond)
	// sliceGrowth is the greatest factor by which a slice is larger than the one before.
	sliceGrowth = 8
	// sweepInterval is how often slices that are not being spent are returned.
	sweepInterval = 500 * time.Millisecond
	// bucketLease is how long a slice of a token bucket can be spent at most.
	bucketLease = int64(time.Second)
	// bucketShare is the fraction of a bucket, 1/bucketShare, that is reserved for what
	// slices hold.
	bucketShare = 8
)

// slice is a part of a leased quota that was counted in the store and is spent here. It
// is not spent after the window in which it was counted: so a window, over all
// processes, never allows more than was counted.
//
// A slice of a bucket can be spent for a time d, in which the bucket is refilled by
// r = d/T. Any interval i can then allow what was counted in i + d: at most the
// capacity and (i + d)/T. So leased buckets hold r less.
type slice struct {
	left  int64
	size  int64
	began int64
	until int64
	start storeTime
	// asking: a request for a larger slice is in flight, so no other asks for one.
	asking bool
}

// lease makes q the quota of which slices are taken, and reports whether it is large
// enough for slices.
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

// leaseTime returns how long a slice of a leased quota can be spent, in nanoseconds from
// the time at which it was requested. For a window that is until its end.
func (q *quota) leaseTime(asked *request) int64 {
	if q.kind != tokenBucket {
		return q.period + asked.counter.at
	}
	// What is reserved is at least a seventh of the rest.
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

// refill returns how much to ask the store for. The first slice is just the cost.
func (s *slice) refill(t, cost int64) int64 {
	if s.asking {
		return cost
	}
	next := s.size
	if s.size > 0 {
		// What will be spent in the target time, at the present rate.
		elapsed := max(1, t-s.began)
		next = int64(float64(s.size-s.left) * float64(sliceTarget) / float64(elapsed))
		next = min(max(next, 1), sliceGrowth*s.size, maxCapacity)
	}
	want := max(cost, next)
	s.asking = want > cost
	return want
}

// add adds what was granted, less the cost, to the slice.
func (s *slice) add(t int64, answered *request) {
	q, cost := &answered.id.quota, answered.cost
	until := t + q.leaseTime(answered)
	surplus := answered.granted - cost
	switch {
	case answered.want == cost && t < s.until && s.left > 0:
		return // a request beside the one for a larger slice
	case q.kind != tokenBucket && s.start == answered.start:
		surplus += s.left
	}
	*s = slice{left: surplus, size: surplus + cost, began: t, until: until, start: answered.start, asking: s.asking}
}

// trim removes and returns what would not be spent before the next two sweeps, at the
// rate since the slice began.
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
