package revocation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/policy"
)

// Options make a service. The zero value is one for this process only.
type Options struct {
	// Redis is the store that instances share. Default: none.
	Redis redis.UniversalClient
	// Lifetime is how long the tokens of the instance hold at most. Default:
	// [DefaultLifetime].
	Lifetime time.Duration
	// MaxEntries bounds what is remembered. Default: [DefaultEntries].
	MaxEntries int
	// AnyAge lets tokens count that are older than entries are kept: for who
	// knows of nothing that ended before. It is over for good as soon as there is
	// a [Receiver], from which on there may be something to know.
	AnyAge bool
	// Deny refuses everybody while the store is out of reach for longer than
	// [Grace]. Default: this process goes on with what it knows.
	Deny bool
	// Logger takes what happens in the background. Default: discarded.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Grace is how long the store may be out of reach before that matters.
const Grace = 10 * time.Second

// Times of the background.
const (
	retryPause = 200 * time.Millisecond
	sweepPause = time.Minute
	awaitPause = 10 * time.Millisecond
	// recent is how long before an outage entries are written again after it: a
	// store that failed over may have lost the last of them.
	recent = time.Minute
)

// Service keeps the index of this process and what the store knows the same. It
// is safe for concurrent use.
type Service struct {
	*Index
	options Options
	log     *log // nil without a store

	// began is when it was made, and a moment before it is started.
	began time.Time
	phase atomic.Int32
	// contact is when the store last answered, in Unix milliseconds.
	contact                                atomic.Int64
	received, revoked, failures, rewritten atomic.Uint64
	deliveries                             deliveries

	// epoch is the background's alone.
	epoch string

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// The phases of a service with a store.
const (
	starting   int32 = iota // not all that the store knows is in the index yet
	current                 // all of it is
	cutOff                  // the store does not answer; the index was current before
	catchingUp              // it answers again, and is read
)

// New returns a service that knows nothing yet.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Index: NewIndex(o.Lifetime, o.MaxEntries), options: o, began: o.Now()}
	s.deliveries.seen = sync.OnceValue(newSeen)
	s.anyAge.Store(o.AnyAge)
	if o.Redis != nil {
		s.log = &log{o.Redis, s.lifetime}
	}
	return s
}

// Start follows the store until ctx ends or [Service.Close] is called. Call it
// once.
func (s *Service) Start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done.Go(func() { s.sweeps(ctx) })
	if s.log != nil {
		s.done.Go(func() { s.follow(ctx) })
	}
}

// Close stops what Start started, and waits for it.
func (s *Service) Close() {
	if s.cancel != nil {
		s.cancel()
	}
	s.done.Wait()
}

// Revoked implements [policy.Revocations].
func (s *Service) Revoked(p *policy.Principal, now time.Time) policy.Reason {
	if s.log != nil && s.blind(now) {
		return policy.ReasonRevocationsUnavailable
	}
	return s.Index.Revoked(p, now)
}

// blind reports whether too little is known to let anybody pass: nothing yet of
// what the store knows, or where that is to matter, nothing new for too long. A
// store that cannot be read at all keeps nobody out for longer than [Grace]
// otherwise.
func (s *Service) blind(now time.Time) bool {
	starts := s.phase.Load() == starting
	if s.options.Deny {
		return starts || now.UnixMilli()-s.contact.Load() > Grace.Milliseconds()
	}
	return starts && now.Sub(s.began) <= Grace
}

// Await waits until everything that the store knew at the start is known here,
// for a time from the start at most.
func (s *Service) Await(limit time.Duration) {
	until := s.began.Add(limit)
	for range limit / awaitPause {
		if s.log == nil || s.phase.Load() != starting || !s.options.Now().Before(until) {
			return
		}
		time.Sleep(awaitPause)
	}
}

// Ready reports whether everything the store knows is known here. A service that
// was cut off is ready with what it knows, unless it is to deny.
func (s *Service) Ready() bool {
	if s.log == nil {
		return true
	}
	switch s.phase.Load() {
	case current:
		return true
	case cutOff:
		return !s.options.Deny
	}
	return false
}

// Revoke refuses what the entries are about, here at once and everywhere as soon
// as they are stored. The error is for entries that are none, of which nothing is
// taken, and for a store that did not take them: here they count even so.
func (s *Service) Revoke(ctx context.Context, entries ...Entry) error {
	for i := range entries {
		if err := entries[i].validate(); err != nil {
			return fmt.Errorf("revoking: %w", err)
		}
	}
	s.addMade(s.options.Now(), entries...)
	s.revoked.Add(uint64(len(entries)))
	if s.log == nil {
		return nil
	}
	if err := s.log.append(ctx, entries, false); err != nil {
		s.failures.Add(1)
		return err
	}
	return nil
}

// RevokeSession ends a session, everywhere.
func (s *Service) RevokeSession(ctx context.Context, sessionID string) error {
	return s.Revoke(ctx, Ended(sessionID, s.options.Now()))
}

// sweeps forgets what is past, now and then.
func (s *Service) sweeps(ctx context.Context) {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.sweep(s.options.Now())
		}
	}
}

// Stats are for metrics.
type Stats struct {
	// Entries is how many subjects have an entry.
	Entries int
	// Received, Revoked and Rewritten count entries read from the store, made
	// here, and written back to a store that lost them. Failures counts what the
	// store did not answer.
	Received, Revoked, Rewritten, Failures uint64
	// Away is how long the store has not answered, from the beginning where it
	// never did; 0 while it does, and without one.
	Away time.Duration
	// Webhooks counts the deliveries to all receivers.
	Webhooks WebhookStats
}

// Stats returns the counts so far.
func (s *Service) Stats() Stats {
	stats := Stats{Entries: s.Len(), Received: s.received.Load(), Revoked: s.revoked.Load(), Rewritten: s.rewritten.Load(), Failures: s.failures.Load(), Webhooks: s.deliveries.stats()}
	if s.log != nil && s.phase.Load() != current {
		last := s.began
		if contact := s.contact.Load(); contact > 0 {
			last = time.UnixMilli(contact)
		}
		stats.Away = max(0, s.options.Now().Sub(last))
	}
	return stats
}
