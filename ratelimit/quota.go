package ratelimit

import (
	"fmt"
	"math"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// The greatest quota, chosen so that no sum of times overflows.
const (
	maxWindow   = 1 << 58 // nanoseconds, 9 years
	maxDepth    = 1 << 60 // nanoseconds to fill a bucket, 36 years
	maxCapacity = math.MaxUint32
)

// validate returns why a check makes no sense.
func validate(c *policy.LimitCheck) error {
	q := &c.Quota
	switch {
	case q.Algorithm != policy.SlidingWindow && q.Algorithm != policy.TokenBucket:
		return fmt.Errorf("unknown algorithm %q", q.Algorithm)
	case q.Window < 1 || q.Window > maxWindow:
		return fmt.Errorf("window %v is not between 1ns and %v", q.Window, time.Duration(maxWindow))
	case q.Burst < 0:
		return fmt.Errorf("burst %d is negative", q.Burst)
	case c.Cost < 1:
		return fmt.Errorf("cost %d is below 1", c.Cost)
	}
	return nil
}

// quota is a valid policy.Quota with a positive limit, in the terms of its
// algorithm.
type quota struct {
	// bucket tells a token bucket from a sliding window.
	bucket bool
	// capacity is what passes at once: the limit, or the burst.
	capacity int64
	// period is the window; of a bucket, the time in which it regains one.
	period int64
}

// newQuota reads q. A burst of 0 is the limit. What is beyond maxCapacity or
// maxDepth is cut to that.
func newQuota(q *policy.Quota) quota {
	limit, window := int64(q.Limit), int64(q.Window)
	if q.Algorithm == policy.SlidingWindow {
		return quota{capacity: min(limit, maxCapacity), period: window}
	}
	burst := int64(q.Burst)
	if burst == 0 {
		burst = limit
	}
	interval := (window-1)/limit + 1
	return quota{bucket: true, capacity: min(burst, maxCapacity, maxDepth/interval), period: interval}
}
