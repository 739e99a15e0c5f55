package ratelimit

import "math/bits"

// counter is what is remembered of one key's use of its quota. Which fields
// count depends on the algorithm. Times are nanoseconds that never go back.
type counter struct {
	// period is that of the quota; 0 in a counter that is not in use.
	period int64
	// at is when the current fixed window began; of a bucket, when it is full.
	at int64
	// cur and prev are what passed in the current window and the one before.
	cur, prev uint32
	bucket    bool
}

// answer is what a counter says of one request.
type answer struct {
	allowed   bool
	remaining int64
	// reset is the time until the fixed window ends or the bucket is full.
	reset int64
	// wait is the time until a request of the same cost passes; of one that
	// never does, until the whole quota would.
	wait int64
}

// take counts a request of that cost at t, if it is within q.
func (c *counter) take(q quota, t, cost int64) answer {
	c.adopt(q, t)
	if c.bucket {
		return c.takeToken(q, t, cost)
	}
	return c.takeSliding(q, t, cost)
}

// adopt makes c a counter of q at t. What was used under another quota is used.
func (c *counter) adopt(q quota, t int64) {
	if c.period == q.period && c.bucket == q.bucket {
		c.forward(t)
		if c.bucket { // The burst may have been lowered.
			c.at = min(c.at, t+q.capacity*q.period)
		}
		return
	}
	used := min(c.used(t), q.capacity)
	*c = counter{period: q.period, bucket: q.bucket}
	if c.bucket {
		c.at = t + used*c.period
	} else {
		c.at = t - t%c.period
		c.cur = uint32(used)
	}
}

// forward moves c on to t.
func (c *counter) forward(t int64) {
	if c.bucket {
		c.at = max(c.at, t)
		return
	}
	switch passed := (t - c.at) / c.period; {
	case passed == 0:
		return
	case passed == 1:
		c.prev, c.cur = c.cur, 0
	default:
		c.prev, c.cur = 0, 0
	}
	c.at = t - t%c.period
}

// used returns how many requests of the quota are used at t, rounded up.
func (c *counter) used(t int64) int64 {
	if c.period == 0 {
		return 0
	}
	c.forward(t)
	if c.bucket {
		return (c.at - t + c.period - 1) / c.period
	}
	weighted, rest := mulDiv(int64(c.prev), c.at+c.period-t, c.period)
	if rest {
		weighted++
	}
	return int64(c.cur) + weighted
}

// whole reports whether nothing of the quota is used at t, so that c tells no
// more than a new counter would.
func (c *counter) whole(t int64) bool {
	if c.bucket {
		return c.at <= t
	}
	passed := (t - c.at) / c.period
	return passed > 1 || c.cur == 0 && (passed == 1 || c.prev == 0)
}

// takeToken is the generic cell rate algorithm. The bucket regains one request
// every period and is full at c.at, so c.at - t is what it lacks, as time.
func (c *counter) takeToken(q quota, t, cost int64) answer {
	depth := q.capacity * c.period
	allowed := cost <= q.capacity && c.at-t+cost*c.period <= depth
	if allowed {
		c.at += cost * c.period
	}
	lacking := c.at - t
	return answer{
		allowed:   allowed,
		remaining: (depth - lacking) / c.period,
		reset:     lacking,
		wait:      max(0, lacking+min(cost, q.capacity)*c.period-depth),
	}
}

// takeSliding weighs the count of the window before by the part of it that lies
// less than a window back.
func (c *counter) takeSliding(q quota, t, cost int64) answer {
	end := c.at + c.period
	weighted, _ := mulDiv(int64(c.prev), end-t, c.period)
	left := q.capacity - int64(c.cur) - weighted
	allowed := cost <= left
	if allowed {
		c.cur += uint32(cost)
		left -= cost
	}
	return answer{
		allowed:   allowed,
		remaining: max(0, left),
		reset:     end - t,
		wait:      c.waitSliding(q.capacity-min(cost, q.capacity), t),
	}
}

// waitSliding returns the time from t until no more than room is in use: in this
// window, if that depends on the window before alone, or else in the next.
func (c *counter) waitSliding(room, t int64) int64 {
	if cur := int64(c.cur); cur > room {
		return c.at + c.period - t + fade(cur, room, c.period)
	}
	return max(0, c.at-t+fade(int64(c.prev), room-int64(c.cur), c.period))
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
