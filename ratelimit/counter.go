package ratelimit

// counter is what is remembered of one key's use of its quota. Which fields
// count depends on the algorithm. Times are nanoseconds that never go back.
type counter struct {
	// period is that of the quota; 0 in a counter that is not in use.
	period int64
	// at is when the current fixed window began; of a bucket, when it is full.
	at int64
	// cur and prev are what passed in the current window and the one before.
	cur, prev uint32
	kind      kind
}

// take counts a request of that cost at t, if it is within q.
func (c *counter) take(q quota, t, cost int64) answer {
	c.adopt(q, t)
	if c.kind == tokenBucket {
		lacking := c.at - t
		allowed := bucketAllows(q, lacking, cost)
		if allowed {
			lacking += cost * c.period
			c.at += cost * c.period
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

// peek answers a request of that cost at t without counting it. The quota is the
// one c counts by.
func (c *counter) peek(q quota, t, cost int64) answer {
	c.forward(t)
	if c.kind == tokenBucket {
		return bucketAnswer(q, c.at-t, cost, bucketAllows(q, c.at-t, cost))
	}
	w := window{cur: int64(c.cur), prev: int64(c.prev), into: t - c.at}
	left := w.left(q)
	return w.answer(q, left, cost, cost <= left)
}

// adopt makes c a counter of q at t. What was used under another quota is used.
func (c *counter) adopt(q quota, t int64) {
	if c.period == q.period && c.kind == q.kind {
		c.forward(t)
		if c.kind == tokenBucket { // The burst may have been lowered.
			c.at = min(c.at, t+q.capacity*q.period)
		}
		return
	}
	used := min(c.used(t), q.capacity)
	*c = counter{period: q.period, kind: q.kind}
	if c.kind == tokenBucket {
		c.at = t + used*c.period
	} else {
		c.at = t - t%c.period
		c.cur = uint32(used)
	}
}

// forward moves c on to t.
func (c *counter) forward(t int64) {
	if c.kind == tokenBucket {
		c.at = max(c.at, t)
		return
	}
	into := t - c.at
	if into < c.period {
		return
	}
	if into >= 2*c.period || c.kind == fixedWindow {
		c.cur = 0
	}
	c.prev, c.cur = c.cur, 0
	c.at = t - into%c.period
}

// used returns how many requests of the quota are used at t, rounded up.
func (c *counter) used(t int64) int64 {
	if c.period == 0 {
		return 0
	}
	c.forward(t)
	if c.kind == tokenBucket {
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
	if c.kind == tokenBucket {
		return c.at <= t
	}
	into := t - c.at
	return into >= 2*c.period || c.cur == 0 && (into >= c.period || c.prev == 0)
}
