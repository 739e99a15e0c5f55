package ratelimit

import (
	"context"
	"errors"
	"runtime"
	"sync"
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
	// done gets how the call ended. It has room for that, so that nobody waits
	// for who left. The requests are the caller's to read only after that.
	done chan error
	// timer ends the wait. Between two uses of a call it is stopped.
	timer *time.Timer
	// left: the caller did not wait for the end, and the lane may still read and
	// write the call.
	left bool
}

// wait returns how the call ended, or why it was left.
func (c *call) wait(ctx context.Context, budget time.Duration) error {
	if c.timer == nil {
		c.timer = time.NewTimer(budget)
	} else {
		c.timer.Reset(budget)
	}
	defer c.timer.Stop()
	select {
	case err := <-c.done:
		return err
	case <-c.timer.C:
		c.left = true
		return errBudget
	case <-ctx.Done():
		c.left = true
		return ctx.Err()
	}
}

// lane sends calls whose keys share a slot. A caller who finds it free sends at
// once; those who come while enough calls are under way go together in the next.
type lane struct {
	breaker
	send func(calls []*call) error
	// watch sees to it that an open breaker closes again.
	watch func(*lane)

	mu      sync.Mutex
	flights int
	queue   []*call
}

// do has c answered, within the budget.
func (l *lane) do(ctx context.Context, c *call, budget time.Duration) error {
	if l.open.Load() {
		return errOpen
	}
	l.mu.Lock()
	if l.flights < maxFlights {
		l.flights++
		l.mu.Unlock()
		err := l.fly([]*call{c})
		l.land()
		return err
	}
	if len(l.queue) >= maxQueue {
		l.mu.Unlock()
		return errFull
	}
	if c.done == nil {
		c.done = make(chan error, 1)
	}
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	return c.wait(ctx, budget)
}

// fly sends calls, and notes how that ended.
func (l *lane) fly(calls []*call) error {
	err := l.send(calls)
	if l.note(err) {
		l.watch(l)
	}
	return err
}

// land ends a flight, or hands it on to those who wait.
func (l *lane) land() {
	if next := l.next(); next != nil {
		go l.carry(next)
	}
}

// carry flies with those who wait until nobody does.
func (l *lane) carry(calls []*call) {
	for calls != nil {
		err := errOpen
		if !l.open.Load() {
			err = l.fly(calls)
		}
		for _, c := range calls {
			c.done <- err
		}
		// Those who were answered come back first, and go together.
		runtime.Gosched()
		calls = l.next()
	}
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
