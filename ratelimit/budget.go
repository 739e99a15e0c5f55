package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

// budget makes contexts with a deadline for calls. Calls that begin in the same tenth
// of the budget share one: the timer of a context costs more than the rest of a check.
type budget struct {
	length time.Duration
	shared atomic.Pointer[sharedContext]
}

type sharedContext struct {
	context.Context
	// until is the time after which no call may begin with the context.
	until time.Time
	// cancel is never called (vet wants it kept): the deadline is soon enough.
	cancel context.CancelFunc
}

// context returns a context whose deadline is after the budget, or up to a tenth of it
// sooner.
func (b *budget) context() context.Context {
	now := time.Now()
	c := b.shared.Load()
	if c == nil || now.After(c.until) {
		ctx, cancel := context.WithDeadline(context.Background(), now.Add(b.length))
		c = &sharedContext{ctx, now.Add(b.length / 10), cancel}
		b.shared.Store(c)
	}
	return c.Context
}
