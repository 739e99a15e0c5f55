package calls

import (
	"sync"
	"time"
)

const (
	// MaxFailures is how many calls in a row may fail before no more are made
	// for a while.
	MaxFailures = 5
	// FirstRest is that while, which doubles up to LongestRest each time that a
	// call made to try fails, too.
	FirstRest   = time.Second
	LongestRest = 5 * time.Second
)

// circuit stops calls that fail anyway, and keep those waiting who cause them.
// After a rest one is made to try. The zero value is ready to use; nil stops
// nothing.
type circuit struct {
	mu       sync.Mutex
	failures int // in a row, while calls are made
	rest     time.Duration
	until    time.Time
	trying   bool
}

// begin reports whether a call may be made, and whether it is one to try.
func (c *circuit) begin(now time.Time) (try, ok bool) {
	if c == nil {
		return false, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.rest == 0:
		return false, true
	case c.trying || now.Before(c.until):
		return false, false
	}
	c.trying = true
	return true, true
}

// end says how a call ended that was begun.
func (c *circuit) end(try, well bool, now time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case well:
		c.failures, c.rest, c.trying = 0, 0, false
	case try:
		c.rest, c.trying = min(2*c.rest, LongestRest), false
		c.until = now.Add(c.rest)
	case c.rest > 0: // it began before
	default:
		if c.failures++; c.failures >= MaxFailures {
			c.rest, c.failures = FirstRest, 0
			c.until = now.Add(c.rest)
		}
	}
}
