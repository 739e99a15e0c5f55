package ratelimit

import (
	"sync/atomic"
	"time"
)

// lateness is how far behind the latest one a time without a monotonic reading may be
// and still be that of a delayed call. Beyond it, the clock was set back.
const lateness = int64(time.Second)

// maxTime bounds the times that are told apart, in nanoseconds either side of
// the Unix epoch: the years 1823 to 2116. A window and a full bucket can be added
// to any of them without overflow.
const maxTime = 1<<62 - 1

// clock turns the times of callers into nanoseconds since the Unix epoch.
type clock struct {
	base atomic.Pointer[base]
}

// base is the first time with a monotonic reading, and its nanoseconds.
type base struct {
	time time.Time
	nano int64
}

// read returns now in nanoseconds. A time with a monotonic reading is steady: it is
// the first such time plus what has really passed since, even if the wall clock was
// set.
func (c *clock) read(now time.Time) (t int64, steady bool) {
	if !hasMonotonic(now) {
		return unixNano(now), false
	}
	b := c.base.Load()
	if b == nil {
		c.base.CompareAndSwap(nil, &base{now, unixNano(now)})
		b = c.base.Load()
	}
	passed := clamp(int64(now.Sub(b.time)), maxTime/2)
	return clamp(b.nano+passed, maxTime), true
}

// hasMonotonic reports whether t carries a monotonic reading, which In removes, as
// Round(0) does at twice the cost, and == compares.
func hasMonotonic(t time.Time) bool {
	return t != t.In(t.Location())
}

// unixNano returns t in nanoseconds since the Unix epoch, within maxTime.
func unixNano(t time.Time) int64 {
	const maxSeconds = maxTime / int64(time.Second)
	if s := t.Unix(); s < -maxSeconds || s >= maxSeconds {
		return clamp(s, 1) * maxTime
	}
	return t.UnixNano()
}

func clamp(n, limit int64) int64 {
	return min(max(n, -limit), limit)
}

// monotonic is the time of one shard: it never goes back. The zero value begins at the
// epoch, or at the first call if that is later.
type monotonic struct {
	now    int64
	offset int64
}

// advance returns the time of a call at t. A delayed call has the time of the latest
// one. Where the clock was set back, time goes on from where it was.
func (p *monotonic) advance(t int64, steady bool) int64 {
	if t > maxTime-p.offset {
		t = maxTime
	} else {
		t += p.offset
	}
	late := p.now - t
	if setBack := late > lateness && !steady; setBack || late > 0 && p.now == 0 {
		p.offset += late
	}
	p.now = max(p.now, t)
	return p.now
}
