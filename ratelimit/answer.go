package ratelimit

import (
	"math/bits"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// answer is what is said of one request. It follows from what is in use alone,
// wherever that is kept.
type answer struct {
	allowed   bool
	remaining int64
	// reset is the time until the fixed window ends or the bucket is full.
	reset int64
	// wait is the time until a request of the same cost passes; of one that
	// never does, until the whole quota would.
	wait int64
}

// write puts the answer in the words of policy into r.
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

// bucketAllows reports whether a bucket that lacks so much has cost left.
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

// left is what of the quota is not in use. The count of the window before is
// weighed by the part of it that lies less than a window back.
func (w *window) left(q *quota) int64 {
	if w.prev == 0 {
		return q.capacity - w.cur
	}
	weighted, _ := mulDiv(w.prev, q.period-w.into, q.period)
	return q.capacity - w.cur - weighted
}

// answer says what a request of that cost is told once left is left.
func (w *window) answer(q *quota, left, cost int64, allowed bool) answer {
	a := answer{allowed: allowed, remaining: max(0, left), reset: q.period - w.into}
	if left < cost {
		a.wait = w.wait(q, q.capacity-min(cost, q.capacity))
	}
	return a
}

// wait returns the time until no more than room is in use: in this window, if
// that depends on the window before alone, or else in the next.
func (w *window) wait(q *quota, room int64) int64 {
	switch {
	case w.cur <= room:
		return max(0, fade(w.prev, room-w.cur, q.period)-w.into)
	case q.kind == fixedWindow:
		return q.period - w.into
	default:
		return q.period - w.into + fade(w.cur, room, q.period)
	}
}

// fade returns how far into a window the count of the window before weighs no
// more than room: the least e with ⌊(period - e)·count / period⌋ ≤ room.
func fade(count, room, period int64) int64 {
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
