package ratelimit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// trips are the calls that were sent, by how many requests each of them held.
type trips struct {
	mu    sync.Mutex
	sizes []int
}

func (t *trips) all() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sizes)
}

// newLane returns a lane whose calls take a round trip of a millisecond.
func newLane(fail *atomic.Bool) (l *batcher, sent *trips) {
	sent = &trips{}
	l = &batcher{onOpen: func(*batcher) {}, onLate: func(*call) {}}
	l.execute = func(calls []*call) error {
		n := 0
		for _, c := range calls {
			n += len(c.requests)
		}
		sent.mu.Lock()
		sent.sizes = append(sent.sizes, n)
		sent.mu.Unlock()
		<-time.After(time.Millisecond)
		if fail.Load() {
			return errors.New("the store is broken")
		}
		return nil
	}
	return l, sent
}

func oneRequest() *call { return &call{requests: make([]request, 1)} }

func TestCallsThatWaitGoTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, sent := newLane(new(atomic.Bool))
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if err := l.do(t.Context(), oneRequest(), time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		sum := 0
		for _, n := range sent.all() {
			sum += n
			if n > maxBatch {
				t.Errorf("%d requests went together, want no more than %d", n, maxBatch)
			}
		}
		if sum != 1000 || len(sent.all()) > maxInFlight+1000/maxBatch+1 {
			t.Errorf("%d requests in %d calls", sum, len(sent.all()))
		}
		if l.inFlight != 0 || len(l.queue) != 0 {
			t.Errorf("%d flights and %d calls are left", l.inFlight, len(l.queue))
		}
	})
}

func TestALoneCallGoesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, sent := newLane(new(atomic.Bool))
		begin := time.Now()
		for range 3 {
			if err := l.do(t.Context(), oneRequest(), time.Second); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 3*time.Millisecond || len(sent.all()) != 3 {
			t.Errorf("3 calls took %v and %d round trips", took, len(sent.all()))
		}
	})
}

func TestNobodyWaitsLongerThanTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLane(new(atomic.Bool))
		begin := time.Now()
		l.inFlight = maxInFlight // and none of them comes back
		if err := l.do(t.Context(), oneRequest(), 10*time.Millisecond); !errors.Is(err, errBudget) {
			t.Errorf("got %v, want %v", err, errBudget)
		}
		if took := time.Since(begin); took != 10*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.do(ctx, oneRequest(), time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		l.queue = make([]*call, maxQueue)
		if err := l.do(t.Context(), oneRequest(), time.Hour); !errors.Is(err, errFull) {
			t.Errorf("got %v, want %v", err, errFull)
		}
	})
}

func TestABreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		l, sent := newLane(&broken)
		var watching sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		defer watching.Wait()
		defer cancel()
		l.onOpen = func(l *batcher) {
			watching.Go(func() {
				l.breaker.watch(ctx, func() error { return l.execute([]*call{oneRequest()}) })
			})
		}
		broken.Store(true)
		for i := range 10 {
			err := l.do(t.Context(), oneRequest(), time.Second)
			if err == nil || errors.Is(err, errOpen) != (i >= maxFailures) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if len(sent.all()) != maxFailures {
			t.Errorf("%d calls went to a broken store, want %d", len(sent.all()), maxFailures)
		}
		<-time.After(10 * time.Second)
		if probes := len(sent.all()) - maxFailures; probes > 40 || probes < 30 {
			t.Errorf("%d probes in ten seconds", probes)
		}
		broken.Store(false)
		<-time.After(time.Second)
		if err := l.do(t.Context(), oneRequest(), time.Second); err != nil {
			t.Errorf("the breaker does not close: %v", err)
		}
	})
}

func TestSuccessesForgiveFailures(t *testing.T) {
	t.Parallel()
	var b breaker
	failed := errors.New("failed")
	for _, err := range []error{failed, failed, nil, failed, failed, nil} {
		if b.record(err) || b.open.Load() {
			t.Fatal("the breaker opened without three failures in a row")
		}
	}
}
