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
	// maxFlights is how many calls of a lane are under way at once.
	maxFlights = 3
	// maxBatch is how many requests one script call judges: some tenths of a
	// millisecond of the store's time.
	maxBatch = 128
	// maxQueue is how many calls wait in a lane. More are refused at once.
	maxQueue = 1 << 13
)

// Why a call was not answered.
var (
	errOpen   = errors.New("the store did not answer lately")
	errBudget = errors.New("the store did not answer in time")
	errFull   = errors.New("too many wait for the store")
)

// call is some requests that go to the store together. The zero call has none.
type call struct {
	requests []request
	// done gets how the call ended. The requests are the caller's to read only after
	// that.
	done chan error
	// timer ends the wait. Between two uses of a call it is stopped.
	timer *time.Timer
	// state is who sees to the answer.
	state atomic.Int32
}

// States of a call.
const (
	waiting  int32 = iota // for whichever of the others comes first
	answered              // the caller has the answer, or is about to
	left                  // the caller did not wait; the lane still reads and writes the call
)

// wait returns how the call ended, or why it was left.
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
	if c.state.CompareAndSwap(waiting, left) {
		return late
	}
	return <-c.done
}

// end hands the answer to the caller, and reports whether there is still one.
func (c *call) end(err error) bool {
	if !c.state.CompareAndSwap(waiting, answered) {
		return false
	}
	c.done <- err
	return true
}

// lane sends calls whose keys share a slot. A caller who finds it free sends at
// once; those who come while enough calls are under way go together in the next.
type lane struct {
	breaker
	send func(calls []*call) error
	// late sees to a call that was answered after its caller had left.
	late func(*call)
	// watch sees to it that an open breaker closes again.
	watch func(*lane)

	mu      sync.Mutex
	flights int
	queue   []*call
}

// do has c answered, within the budget. A call that takes longer goes on.
func (l *lane) do(ctx context.Context, c *call, budget time.Duration) error {
	if l.open.Load() {
		return errOpen
	}
	if c.done == nil {
		c.done = make(chan error, 1) // nobody waits for who left
	}
	l.mu.Lock()
	switch {
	case l.flights < maxFlights:
		l.flights++
		l.mu.Unlock()
		go l.carry([]*call{c})
	case len(l.queue) >= maxQueue:
		l.mu.Unlock()
		return errFull
	default:
		l.queue = append(l.queue, c)
		l.mu.Unlock()
	}
	return c.wait(ctx, budget)
}

// carry flies with calls, and then with those who wait, until nobody does.
func (l *lane) carry(calls []*call) {
	for calls != nil {
		err := errOpen
		if !l.open.Load() {
			err = l.fly(calls)
		}
		for _, c := range calls {
			if !c.end(err) && err == nil {
				l.late(c)
			}
		}
		// Those who were answered come back first, and go together.
		runtime.Gosched()
		calls = l.next()
	}
}

// fly sends calls, and notes how that ended.
func (l *lane) fly(calls []*call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the store's answer: panic: %v", p)
		}
		if l.note(err) {
			l.watch(l)
		}
	}()
	return l.send(calls)
}

// next takes those who go together in the next flight. Without any the flight
// ends.
func (l *lane) next() []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.flights--
		return nil
	}
	n, requests := 0, 0
	for n < len(l.queue) && (n == 0 || requests+len(l.queue[n].requests) <= maxBatch) {
		requests += len(l.queue[n].requests)
		n++
	}
	calls := l.queue[:n:n]
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return calls
}
