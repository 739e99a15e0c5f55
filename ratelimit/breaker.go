package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// maxFailures in a row open a breaker. Late is who does not answer for
	// storeTimeout, and not who does later than a request waits: so a machine that
	// has no time to hear the store does not take it for lost.
	maxFailures = 3
	// probeInterval is how often an open breaker looks whether the store is back.
	probeInterval = 250 * time.Millisecond
)

// breaker stops asking a store that does not answer, until it does. The breakers
// of libraries let a request try whether the store is back, and that request
// pays the whole time budget; here none does, for a probe of its own tries.
type breaker struct {
	failures atomic.Int32
	open     atomic.Bool
}

// note counts how a call ended, and reports whether that opened the breaker: the
// caller then sees to it that watch runs.
func (b *breaker) note(err error) (opened bool) {
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
