package ratelimit

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// The greatest quota: twice a window, and the depth of a bucket plus the nanoseconds of
// now, must be exact in the numbers of Redis scripts, which have 53 bits.
const (
	maxWindow   = 1 << 52 // nanoseconds, 52 days
	maxDepth    = 1 << 52 // nanoseconds to fill a bucket, 52 days
	maxCapacity = math.MaxUint32 - 1
)

// kind is an algorithm. take.lua has the same numbers.
type kind uint8

const (
	slidingWindow kind = iota + 1
	fixedWindow
	tokenBucket
)

// kindOf returns 0 for an unknown algorithm.
func kindOf(a policy.Algorithm) kind {
	switch a {
	case policy.SlidingWindow:
		return slidingWindow
	case policy.FixedWindow:
		return fixedWindow
	case policy.TokenBucket:
		return tokenBucket
	}
	return 0
}

// quota is a valid policy.Quota with a positive limit, in the terms of its
// algorithm. The zero quota denies everything.
type quota struct {
	kind kind
	// capacity is how much is allowed at once: the limit, or the burst.
	capacity int64
	// period is the window; for a bucket, the time in which it is refilled by one. In
	// nanoseconds.
	period int64
}

// newQuota returns the quota of c, or an error where c is invalid. A limit of 0 or less
// is the zero quota, and a burst of 0 is the limit. Values beyond maxCapacity or
// maxDepth are cut to that.
func newQuota(c *policy.LimitCheck) (quota, error) {
	q := &c.Quota
	kind, limit, window := kindOf(q.Algorithm), int64(q.Limit), int64(q.Window)
	switch {
	case kind == 0:
		return quota{}, fmt.Errorf("limit %q: unknown algorithm %q", c.Name, q.Algorithm)
	case window < 1 || window > maxWindow:
		return quota{}, fmt.Errorf("limit %q: window %v is not between 1ns and %v", c.Name, q.Window, time.Duration(maxWindow))
	case q.Burst < 0:
		return quota{}, fmt.Errorf("limit %q: burst %d is negative", c.Name, q.Burst)
	case c.Cost < 1:
		return quota{}, fmt.Errorf("limit %q: cost %d is below 1", c.Name, c.Cost)
	case limit < 1:
		return quota{}, nil
	case kind == tokenBucket:
		return newBucket(limit, window, int64(q.Burst)), nil
	}
	return quota{kind: kind, capacity: min(limit, maxCapacity), period: window}, nil
}

func newBucket(limit, window, burst int64) quota {
	if burst == 0 {
		burst = limit
	}
	q := quota{kind: tokenBucket, capacity: min(burst, maxCapacity), period: (window-1)/limit + 1}
	if hi, depth := bits.Mul64(uint64(q.capacity), uint64(q.period)); hi != 0 || depth > maxDepth {
		q.capacity = maxDepth / q.period
	}
	return q
}

// fewChecks is how many checks most requests have at most.
const fewChecks = 4

// newQuotas appends the quotas of all checks to buf.
func newQuotas(buf []quota, checks []policy.LimitCheck) ([]quota, error) {
	for i := range checks {
		q, err := newQuota(&checks[i])
		if err != nil {
			return nil, fmt.Errorf("ratelimit: %w", err)
		}
		buf = append(buf, q)
	}
	return buf, nil
}
