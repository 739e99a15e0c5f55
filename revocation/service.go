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
	if s.options.Deny && s.log != nil && s.away(now) {
		return policy.ReasonRevocationsUnavailable
	}
	return s.Index.Revoked(p, now)
}

// away reports whether the store has not answered for too long.
func (s *Service) away(now time.Time) bool {
	return now.UnixMilli()-s.contact.Load() > Grace.Milliseconds()
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
	s.add(s.options.Now(), entries...)
	s.revoked.Add(uint64(len(entries)))
	if s.log == nil {
		return nil
	}
	if err := s.log.append(ctx, entries); err != nil {
		s.failures.Add(1)
		return err
	}
	return nil
}

// RevokeSession ends a session, everywhere.
func (s *Service) RevokeSession(ctx context.Context, sessionID string) error {
	return s.Revoke(ctx, Ended(sessionID, s.options.Now()))
}

// follow reads the store for as long as ctx lasts.
func (s *Service) follow(ctx context.Context) {
	cursor := "0"
	for ctx.Err() == nil {
		err := s.catchUp(ctx, &cursor)
		if ctx.Err() != nil {
			return
		}
		if s.phase.CompareAndSwap(current, cutOff) {
			s.options.Logger.Warn("the store of revocations is out of reach", "error", err)
		}
		s.phase.CompareAndSwap(catchingUp, cutOff)
		s.failures.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// catchUp makes sure that the store still knows what it did, and reads on. It
// returns when the store does not answer.
func (s *Service) catchUp(ctx context.Context, cursor *string) error {
	if err := s.restore(ctx, cursor); err != nil {
		return err
	}
	s.phase.CompareAndSwap(cutOff, catchingUp)
	for wait := false; ; {
		entries, next, err := s.log.read(ctx, *cursor, wait)
		if err != nil {
			return err
		}
		s.add(s.options.Now(), entries...)
		s.received.Add(uint64(len(entries)))
		s.contact.Store(s.options.Now().UnixMilli())
		// A read that found nothing new is the end of the log.
		if wait = next == *cursor; wait && s.phase.Swap(current) != current {
			s.options.Logger.Info("revocations are up to date", "entries", s.Len())
		}
		*cursor = next
	}
}

// restore writes back what a store may have lost while it was out of reach: all
// of it, where it forgot everything, or else the last of it.
func (s *Service) restore(ctx context.Context, cursor *string) error {
	epoch, err := s.log.epoch(ctx)
	if err != nil {
		return err
	}
	entries := s.all()
	if epoch == s.epoch {
		since := s.contact.Load() - recent.Milliseconds()
		entries = after(entries, since)
	} else {
		*cursor = "0"
	}
	if s.epoch == "" {
		entries = nil // nothing was read before, so nothing was lost
	}
	if err := s.log.append(ctx, entries); err != nil {
		return err
	}
	s.rewritten.Add(uint64(len(entries)))
	s.epoch = epoch
	return nil
}

// after keeps the entries from a time on.
func after(entries []Entry, since int64) []Entry {
	var late []Entry
	for _, e := range entries {
		if e.At >= since {
			late = append(late, e)
		}
	}
	return late
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
