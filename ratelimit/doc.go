// Package ratelimit counts requests against the limits of a policy.
//
// [Memory] keeps its counts in this process, [Redis] shares them with others. Both
// implement [policy.Limiter] with the same algorithms, and give the same answers
// to the same requests at the same instants.
//
// [policy.SlidingWindow] counts in fixed windows of length W that are aligned to
// the Unix epoch. With C counted in the current one, P in the one before, and
// the instant a part p into the current one, a request of cost n passes if
//
//	C + ⌊(1 - p)·P⌋ + n ≤ L
//
// in exact integer arithmetic on nanoseconds. A refused request is not counted,
// so that trying again does not lengthen the wait. What the estimate bounds is
// each fixed window: at most L pass in one. An arbitrary interval of length W
// meets two of them, and those who spend one window at its end and the next as
// it frees can pass up to 2·L in it; none can pass more. Over k windows the bound
// is (k + 1)·L.
//
// [policy.FixedWindow] is the same without P: C + n ≤ L.
//
// [policy.TokenBucket] is the generic cell rate algorithm: a bucket of Burst
// requests that regains one every T = ⌈W/L⌉ nanoseconds, and starts full. In any
// interval of length d at most Burst + ⌊d/T⌋ pass.
//
// Results follow [policy.LimitResult]. Reset is the end of the fixed window for
// the two windows, and the instant the bucket is full for the token bucket.
// RetryAfter is exact: a request of the same cost passes then, if nobody else
// comes first, and not a nanosecond earlier. It is zero when one would pass now,
// and also in the refusal of a request that can never pass because it costs more
// than the whole quota: Allowed tells the two apart.
package ratelimit
