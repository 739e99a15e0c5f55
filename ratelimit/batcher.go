package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxInFlight is how many script calls of a batcher are in flight at once.
	maxInFlight = 3
	// maxBatch is how many requests one script call decides: some tenths of a
	// millisecond of the store's time.
	maxBatch = 128
	// maxQueue is how many calls wait in a batcher. More fail at once.
	maxQueue = 1 << 13
)

// Why a call has no answer.
var (
	errOpen   = errors.New("the store did not answer lately")
	errBudget = errors.New("the store did not answer in time")
	errFull   = errors.New("too many requests are waiting for the store")
)

// call is some requests that are sent to the store together. The zero call has none.
type call struct {
	requests []request
	// done receives the result of the call. The caller reads the requests only after
	// that.
	done chan error
	// timer ends the wait. Between two uses of a call it is stopped.
	timer *time.Timer
	// state says whether the caller still waits.
	state atomic.Int32
}

// States of a call.
const (
	waiting   int32 = iota // the caller waits for the answer
	answered               // the caller has the answer, or is about to get it
	abandoned              // the caller did not wait; the batcher still uses the call
)

// wait returns the error of the call, or why the caller abandoned it.
func (c *call) wait(ctx context.Context, budget time.Duration) error {
	if c.timer == nil {
		c.timer = time.NewTimer(budget)
	} else {
		c.timer.Reset(budget)
	}
	defer c.timer.Stop()
	var late error
	select {
	case err := <-c.done:
		return err
	case <-c.timer.C:
		late = errBudget
	case <-ctx.Done():
		late = ctx.Err()
	}
	if c.state.CompareAndSwap(waiting, abandoned) {
		return late
	}
	return <-c.done
}

// finish hands the result to the caller, and reports whether it still waits.
func (c *call) finish(err error) bool {
	if !c.state.CompareAndSwap(waiting, answered) {
		return false
	}
	c.done <- err
	return true
}

// batcher sends calls whose keys share a slot of a Redis Cluster. While fewer than
// maxInFlight calls are in flight, a call is sent at once; those that come meanwhile are
// sent together, as one batch, when one of them returns.
type batcher struct {
	breaker
	execute func(calls []*call) error
	// onLate is called with a call that was answered after its caller had abandoned it.
	onLate func(*call)
	// onOpen is called when the breaker opens, and must see to it that it closes again.
	onOpen func(*batcher)

	mu       sync.Mutex
	inFlight int
	queue    []*call
}

// do sends c and waits for its answer, for the budget at most. A call that takes longer
// goes on in the background.
func (b *batcher) do(ctx context.Context, c *call, budget time.Duration) error {
	if b.open.Load() {
		return errOpen
	}
	if c.done == nil {
		c.done = make(chan error, 1) // with room for a result that no caller waits for
	}
	b.mu.Lock()
	switch {
	case b.inFlight < maxInFlight:
		b.inFlight++
		b.mu.Unlock()
		go b.drain([]*call{c})
	case len(b.queue) >= maxQueue:
		b.mu.Unlock()
		return errFull
	default:
		b.queue = append(b.queue, c)
		b.mu.Unlock()
	}
	return c.wait(ctx, budget)
}

// drain sends calls, and then those that are queued, until the queue is empty.
func (b *batcher) drain(calls []*call) {
	for calls != nil {
		err := errOpen
		if !b.open.Load() {
			err = b.send(calls)
		}
		for _, c := range calls {
			if !c.finish(err) && err == nil {
				b.onLate(c)
			}
		}
		// Let the answered callers send their next calls first, so that they share a batch.
		runtime.Gosched()
		calls = b.next()
	}
}

// send sends calls, and records the result in the breaker.
func (b *batcher) send(calls []*call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the store's answer: panic: %v", p)
		}
		if b.record(err) {
			b.onOpen(b)
		}
	}()
	return b.execute(calls)
}

// next takes the next batch off the queue. Where the queue is empty it returns nil, and
// the caller's place among those in flight is free.
func (b *batcher) next() []*call {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.inFlight--
		return nil
	}
	n, requests := 0, 0
	for n < len(b.queue) && (n == 0 || requests+len(b.queue[n].requests) <= maxBatch) {
		requests += len(b.queue[n].requests)
		n++
	}
	calls := b.queue[:n:n]
	if b.queue = b.queue[n:]; len(b.queue) == 0 {
		b.queue = nil
	}
	return calls
}
