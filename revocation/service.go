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
	// Instance names the Clerk instance that everything here is about. On one store,
	// nothing of one is known to another.
	Instance string
	// Prefix is what every key in Redis begins with. Default: clerkgate.
	Prefix string
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
	// Kin are the services of this process, which it joins until [Service.Close].
	// Default: it has none.
	Kin *Kin
	// Deny refuses everybody while the store is out of reach for longer than
	// [Grace]. Default: this process goes on with what it knows.
	Deny bool
	// Logger takes what happens in the background. Default: discarded.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// elapsed is the steady clock, and times are those of the background. Tests set
	// them.
	elapsed func() time.Duration
	times   times
}

// Grace is how long the store may be out of reach before that matters.
const Grace = 10 * time.Second

// times are those of the background.
type times struct {
	// retry is the pause after a failure, read how long a read waits for news, which
	// is also when a lost connection is noticed, and sweep the pause between two.
	retry, read, sweep time.Duration
	// settle is how long a store without memory counts as young: those who know more
	// notice within that time, and begin to tell it.
	settle time.Duration
	// grace is [Grace], and margin [margin].
	grace, margin time.Duration
	// jump is by how much the store's clock and this process's steady one may part
	// before entries may have left the store too early.
	jump time.Duration
}

// usual are the times of all but tests.
var usual = times{
	retry: 200 * time.Millisecond, read: time.Second, sweep: time.Minute,
	settle: 3 * time.Second, grace: Grace, margin: margin, jump: margin / 2,
}

const (
	awaitPause = 10 * time.Millisecond
	// clockPause is how often clocks are compared, and alike what they may be apart.
	clockPause = time.Second
	alike      = time.Second
)

// Service keeps the index of this process and what the store knows the same. It
// is safe for concurrent use.
type Service struct {
	*Index
	options Options
	log     *log // nil without a store

	// began is when it was made.
	began time.Time
	phase atomic.Int32
	// contact is when the store last answered: by the clock that judges, in Unix
	// milliseconds, and by the steady clock.
	contact       atomic.Int64
	contactSteady atomic.Int64
	// heard: the store has told its time.
	heard atomic.Bool
	// differ: another node needs entries for longer.
	differ atomic.Bool
	// untold: something was made here that the store does not have.
	untold     atomic.Bool
	unread     unread
	follower   follower // the background's alone
	counts     counts
	deliveries deliveries

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// counts are for [Stats].
type counts struct {
	received, revoked, failures, rewritten, ignored, forgot atomic.Uint64
}

// The phases of a service with a store.
const (
	starting   int32 = iota // not all that the store knows is in the index yet
	current                 // all of it is
	cutOff                  // the store does not answer; the index was current before
	catchingUp              // it answers again, and is read
)

// New returns a service that knows nothing yet but what its kin do.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Prefix == "" {
		o.Prefix = "clerkgate"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.times == (times{}) {
		o.times = usual
	}
	s := &Service{Index: NewIndex(o.Lifetime, o.MaxEntries), began: o.Now(), follower: follower{cursor: beginning}}
	if o.elapsed == nil {
		o.elapsed = func() time.Duration { return o.Now().Sub(s.began) }
	}
	s.options = o
	s.setMargin(o.times.margin)
	s.deliveries.seen = sync.OnceValue(newSeen)
	s.anyAge.Store(o.AnyAge)
	if o.Redis != nil {
		s.log = &log{o.Redis, newKeys(o.Prefix, o.Instance), s.lifetime + s.margin, o.times}
	}
	if o.Kin != nil {
		o.Kin.join(s)
	}
	return s
}

// steady is the time by a clock that nobody sets: it agrees with the other as long
// as that is not set either.
func (s *Service) steady() time.Time { return s.began.Add(s.options.elapsed()) }

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
	if s.options.Kin != nil {
		s.options.Kin.leave(s)
	}
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
	phase := s.phase.Load()
	if phase == starting {
		return s.options.Deny || s.options.elapsed() <= s.options.times.grace
	}
	if !s.options.Deny {
		return false
	}
	// By either clock: the one may be set, the other stands still while a machine
	// sleeps.
	return now.UnixMilli()-s.contact.Load() > s.options.times.grace.Milliseconds() ||
		phase != current && s.steady().UnixMilli()-s.contactSteady.Load() > s.options.times.grace.Milliseconds()
}

// Await waits until everything that the store knew at the start is known here,
// for a time from the start at most.
func (s *Service) Await(limit time.Duration) {
	for range limit / awaitPause {
		if s.log == nil || s.phase.Load() != starting || s.options.elapsed() >= limit {
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
	made := make([]aged, 0, len(entries))
	for _, e := range entries {
		made = append(made, aged{Entry: e})
	}
	s.take(s.steady(), made, false)
	if s.options.Kin != nil {
		s.options.Kin.tell(s, made)
	}
	s.counts.revoked.Add(uint64(len(entries)))
	if s.log == nil {
		return nil
	}
	if err := s.log.append(ctx, made, false); err != nil {
		s.counts.failures.Add(1)
		s.untold.Store(true)
		return err
	}
	if !s.unread.add(made) {
		s.untold.Store(true)
	}
	return nil
}

// RevokeSession ends a session, everywhere.
func (s *Service) RevokeSession(ctx context.Context, sessionID string) error {
	return s.Revoke(ctx, Ended(sessionID, s.options.Now()))
}

// sweeps forgets what is past, and compares the clocks, now and then.
func (s *Service) sweeps(ctx context.Context) {
	sweep, clocks := time.NewTicker(s.options.times.sweep), time.NewTicker(clockPause)
	defer sweep.Stop()
	defer clocks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.sweep(s.steady())
		case <-clocks.C:
			s.compareClocks()
		}
	}
}

// storeTime is what time it is by the store's clock, in Unix milliseconds, and
// whether that is known.
func (s *Service) storeTime() (int64, bool) {
	return s.steady().UnixMilli() + s.ahead.Load(), s.heard.Load()
}

// clocks are the times that it may be now: by the clock that judges, and by the
// store's. Either may be wrong.
func (s *Service) clocks() []time.Time {
	clocks := []time.Time{s.options.Now()}
	if store, known := s.storeTime(); known {
		clocks = append(clocks, time.UnixMilli(store))
	}
	return clocks
}

// compareClocks corrects the clock that judges. The store's is the better one.
// Without it, a clock that was set back may have been wrong before, but one that was
// set forward makes nobody wait.
func (s *Service) compareClocks() {
	better, known := s.storeTime()
	behind := better - s.options.Now().UnixMilli()
	if !known {
		behind = min(behind, 0)
	}
	if max(behind, -behind) < alike.Milliseconds() {
		behind = 0
	}
	s.behind.Store(behind)
}

// Stats are for metrics.
type Stats struct {
	// Entries is how many subjects have an entry.
	Entries int
	// Received, Revoked and Rewritten count entries read from the store, made
	// here, and written back to a store that lost them. Ignored counts what was read
	// and is no entry, Forgot how often the store had forgotten what it knew, and
	// Failures what it did not answer.
	Received, Revoked, Rewritten, Ignored, Forgot, Failures uint64
	// Away is how long the store has not answered, from the beginning where it
	// never did; 0 while it does, and without one.
	Away time.Duration
	// LifetimesDiffer reports that another node names a longer lifetime of tokens.
	LifetimesDiffer bool
	// Webhooks counts the deliveries to all receivers.
	Webhooks WebhookStats
}

// Stats returns the counts so far.
func (s *Service) Stats() Stats {
	c := &s.counts
	stats := Stats{
		Entries: s.Len(), Received: c.received.Load(), Revoked: c.revoked.Load(), Rewritten: c.rewritten.Load(),
		Ignored: c.ignored.Load(), Forgot: c.forgot.Load(), Failures: c.failures.Load(),
		LifetimesDiffer: s.differ.Load(), Webhooks: s.deliveries.stats(),
	}
	if s.log != nil && s.phase.Load() != current {
		last := s.began.UnixMilli()
		if contact := s.contactSteady.Load(); contact > 0 {
			last = contact
		}
		stats.Away = max(0, time.Duration(s.steady().UnixMilli()-last)*time.Millisecond)
	}
	return stats
}
