package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

// budget makes the contexts of calls. Those that begin in the same tenth of the
// budget share one: the timer of a context costs more than the rest of a check.
type budget struct {
	length time.Duration
	shared atomic.Pointer[sharedContext]
}

type sharedContext struct {
	context.Context
	// until is when the context is too old for a call to begin.
	until time.Time
	// cancel is kept for form's sake: the timer ends the context soon enough.
	cancel context.CancelFunc
}

// context returns one that ends after the budget, or up to a tenth sooner.
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
