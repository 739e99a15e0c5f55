package ratelimit

import (
	"math/bits"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// answer is the result for one request, in units of the quota and nanoseconds. It
// depends only on the counts, whether they are in memory or in Redis.
type answer struct {
	allowed   bool
	remaining int64
	// reset is the time until the fixed window ends or the bucket is full.
	reset int64
	// wait is the time until a request of the same cost is allowed; for one that costs
	// more than the quota, until the whole quota is available.
	wait int64
}

// write writes the answer to a result of the policy.
func (a *answer) write(r *policy.LimitResult, c *policy.LimitCheck, q *quota) {
	r.Name, r.Limit, r.Window = c.Name, c.Quota.Limit, c.Quota.Window
	r.Allowed = a.allowed
	r.Remaining = int(a.remaining)
	r.Reset = time.Duration(a.reset)
	r.RetryAfter = 0
	if int64(c.Cost) <= q.capacity {
		r.RetryAfter = time.Duration(a.wait)
	}
}

// bucketAllows reports whether a bucket has cost left; lacking is what is missing from
// it, as time.
func bucketAllows(q *quota, lacking, cost int64) bool {
	return cost <= q.capacity && lacking+cost*q.period <= q.capacity*q.period
}

// bucketAnswer follows the generic cell rate algorithm: the bucket regains one
// request every period, and lacking is what is missing, as time.
func bucketAnswer(q *quota, lacking, cost int64, allowed bool) answer {
	depth := q.capacity * q.period
	return answer{
		allowed:   allowed,
		remaining: (depth - lacking) / q.period,
		reset:     lacking,
		wait:      max(0, lacking+min(cost, q.capacity)*q.period-depth),
	}
}

// window is a fixed window and the one before, as of some time into it.
type window struct {
	cur, prev int64
	into      int64
}

// left returns how much of the quota is left. The count of the window before is
// weighted by the part of it that is less than one window ago.
func (w *window) left(q *quota) int64 {
	if w.prev == 0 {
		return q.capacity - w.cur
	}
	weighted, _ := mulDiv(w.prev, q.period-w.into, q.period)
	return q.capacity - w.cur - weighted
}

// answer returns the answer to a request of that cost, with left left after it.
func (w *window) answer(q *quota, left, cost int64, allowed bool) answer {
	a := answer{allowed: allowed, remaining: max(0, left), reset: q.period - w.into}
	if left < cost {
		a.wait = w.wait(q, q.capacity-min(cost, q.capacity))
	}
	return a
}

// wait returns the time until no more than room is used: in this window, if that
// depends on the window before alone, or else in the next.
func (w *window) wait(q *quota, room int64) int64 {
	switch {
	case w.cur <= room:
		return max(0, decayTime(w.prev, room-w.cur, q.period)-w.into)
	case q.kind == fixedWindow:
		return q.period - w.into
	default:
		return q.period - w.into + decayTime(w.cur, room, q.period)
	}
}

// decayTime returns the time into a window after which the weighted count of the window
// before is at most room: the least e with ⌊(period - e)·count / period⌋ ≤ room.
func decayTime(count, room, period int64) int64 {
	if count <= room {
		return 0
	}
	// (period - e)·count < (room + 1)·period
	e, rest := mulDiv(room+1, period, count)
	if rest {
		e++
	}
	return period - e + 1
}

// mulDiv returns ⌊a·b/c⌋ and whether there is a remainder. One of a and b must
// not exceed c, and none may be negative.
func mulDiv(a, b, c int64) (quotient int64, rest bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	return int64(q), r != 0
}
