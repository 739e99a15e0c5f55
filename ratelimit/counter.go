package ratelimit

// counter counts what one key used of one quota, both of which its id names. Times are
// nanoseconds that never go back. The zero counter has counted nothing.
type counter struct {
	// at is when the current fixed window began; for a bucket, when it is full.
	at int64
	// cur and prev are what was allowed in the current window and the one before.
	cur, prev uint32
}

// take counts a request of that cost at t, if it is within the quota.
func (c *counter) take(q *quota, t, cost int64) answer {
	c.advance(q, t)
	if q.kind == tokenBucket {
		lacking := c.at - t
		allowed := bucketAllows(q, lacking, cost)
		if allowed {
			lacking += cost * q.period
			c.at += cost * q.period
		}
		return bucketAnswer(q, lacking, cost, allowed)
	}
	w := window{cur: int64(c.cur), prev: int64(c.prev), into: t - c.at}
	left := w.left(q)
	allowed := cost <= left
	if allowed {
		c.cur += uint32(cost)
		w.cur += cost
		left -= cost
	}
	return w.answer(q, left, cost, allowed)
}

// peek answers a request of that cost at t without counting it.
func (c *counter) peek(q *quota, t, cost int64) answer {
	c.advance(q, t)
	if q.kind == tokenBucket {
		return bucketAnswer(q, c.at-t, cost, bucketAllows(q, c.at-t, cost))
	}
	w := window{cur: int64(c.cur), prev: int64(c.prev), into: t - c.at}
	left := w.left(q)
	return w.answer(q, left, cost, cost <= left)
}

// advance moves c forward to t.
func (c *counter) advance(q *quota, t int64) {
	if q.kind == tokenBucket {
		c.at = max(c.at, t)
		return
	}
	into := t - c.at
	if into < q.period {
		return
	}
	if into >= 2*q.period || q.kind == fixedWindow {
		c.cur = 0
	}
	c.prev, c.cur = c.cur, 0
	c.at = t - into%q.period
}

// used returns how many requests of the quota are used at t, rounded up.
func (c *counter) used(q *quota, t int64) int64 {
	c.advance(q, t)
	if q.kind == tokenBucket {
		return (c.at - t + q.period - 1) / q.period
	}
	weighted, rest := mulDiv(int64(c.prev), c.at+q.period-t, q.period)
	if rest {
		weighted++
	}
	return int64(c.cur) + weighted
}

// unused reports whether nothing of the quota is used at t, so that c is the same as a
// new counter.
func (c *counter) unused(q *quota, t int64) bool {
	if q.kind == tokenBucket {
		return c.at <= t
	}
	into := t - c.at
	return into >= 2*q.period || c.cur == 0 && (into >= q.period || c.prev == 0)
}
