package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// maxFailures is how many consecutive failures open a breaker. A call fails after
	// storeTimeout, not after the shorter time that a request waits: so the breaker does
	// not open because this machine is too busy to read the answers.
	maxFailures = 3
	// probeInterval is how often an open breaker checks whether the store is back.
	probeInterval = 250 * time.Millisecond
)

// breaker is a circuit breaker: it stops calls to a store that does not answer, until
// it does. Those of libraries use a request to check whether the store is back, which
// costs that request its whole time budget; this one uses a probe of its own.
type breaker struct {
	failures atomic.Int32
	open     atomic.Bool
}

// record counts the result of a call, and reports whether that opened the breaker: the
// caller must then run watch.
func (b *breaker) record(err error) (opened bool) {
	if err == nil {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return false
	}
	return b.failures.Add(1) >= maxFailures && b.open.CompareAndSwap(false, true)
}

// watch probes until the store answers or ctx ends, and then closes the breaker.
func (b *breaker) watch(ctx context.Context, probe func() error) {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if probe() == nil {
			b.failures.Store(0)
			b.open.Store(false)
			return
		}
	}
}
