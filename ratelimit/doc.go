// Package ratelimit implements the rate limits of a policy.
//
// [Memory] keeps its counts in this process, [Redis] shares them with others. Both
// implement [policy.Limiter] with the same algorithms, and return the same results
// for the same requests at the same times.
//
// [policy.SlidingWindow] counts in fixed windows of length W that are aligned to
// the Unix epoch. With C counted in the current one, P in the one before, and
// the time a part p into the current one, a request of cost n is allowed if
//
//	C + ⌊(1 - p)·P⌋ + n ≤ L
//
// in exact integer arithmetic on nanoseconds. A denied request is not counted, so
// that retries do not lengthen the wait. The bound holds for each fixed window: at
// most L are allowed in one. An arbitrary interval of length W overlaps two of them,
// so that up to 2·L can be allowed in it: all of one window at its end, and all of the
// next as it becomes free; never more. Over k windows the bound is (k + 1)·L.
//
// [policy.FixedWindow] is the same without P: C + n ≤ L.
//
// [policy.TokenBucket] is the generic cell rate algorithm (GCRA): a bucket of Burst
// requests that is refilled by one every T = ⌈W/L⌉ nanoseconds, and starts full. In any
// interval of length d at most Burst + ⌊d/T⌋ are allowed.
//
// Results follow [policy.LimitResult]. Reset is the time to the end of the fixed window
// for the two windows, and until the bucket is full for the token bucket. RetryAfter is
// exact: a request of the same cost is allowed then, if no other request comes first,
// and not a nanosecond earlier. It is zero if one would be allowed now, and also for a
// denied request that can never be allowed because it costs more than the whole quota:
// Allowed tells the two apart.
package ratelimit
