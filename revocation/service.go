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

// Options are those of [New]. The zero value is a service for this process only.
type Options struct {
	// Instance is the Clerk instance of the entries. Instances in one store do not see
	// each other's entries.
	Instance string
	// Prefix is the prefix of every key in Redis. Default: clerkgate.
	Prefix string
	// Redis is the store that processes share. Default: none.
	Redis redis.UniversalClient
	// Lifetime is the longest lifetime of a token of the instance. Default:
	// [DefaultLifetime].
	Lifetime time.Duration
	// MaxEntries bounds the subjects that have entries. Default: [DefaultEntries].
	MaxEntries int
	// AnyAge accepts tokens that are older than Lifetime: for a service that has no
	// source of revocations. It ends for good with the first [Receiver].
	AnyAge bool
	// Group is the services of this process, with which it shares its entries until
	// [Service.Close]. Default: none.
	Group *Group
	// Deny denies every request while the store is unavailable for longer than [Grace]
	// ([policy.ReasonRevocationsUnavailable]). Default: this process continues with the
	// entries that it has.
	Deny bool
	// Logger logs the state of the store at level info and warn, rejected deliveries at
	// warn, and failed ones at error. Default: discarded.
	Logger *slog.Logger
	// Now is the wall clock. Default: [time.Now].
	Now func() time.Time

	// elapsed is the steady clock, and times are those of the background work. Tests set
	// them.
	elapsed func() time.Duration
	times   times
}

// Grace is how long the store may be unavailable before [Options.Deny] denies. At the
// start, a service without Deny also denies for that time, until it has read the store.
const Grace = 10 * time.Second

// times are those of the background work.
type times struct {
	// retry is the pause after a failure; read how long a read waits for new entries,
	// after which a lost connection is noticed; and sweep the interval of sweeps.
	retry, read, sweep time.Duration
	// settle is how long starting nodes wait for an empty store: nodes that have entries
	// notice the loss within that time, and begin to write them back.
	settle time.Duration
	// grace is [Grace], and margin [margin].
	grace, margin time.Duration
	// jump is how far the store's clock and the steady one may drift apart before entries
	// may have expired in the store too early.
	jump time.Duration
}

// defaultTimes are the times of all but tests.
var defaultTimes = times{
	retry: 200 * time.Millisecond, read: time.Second, sweep: time.Minute,
	settle: 3 * time.Second, grace: Grace, margin: margin, jump: margin / 2,
}

const (
	awaitInterval = 10 * time.Millisecond
	// clockInterval is how often clocks are compared, and clockTolerance how far they may
	// be apart.
	clockInterval  = time.Second
	clockTolerance = time.Second
)

// Service keeps the [Index] of this process and the store synchronized. It is safe for
// concurrent use.
type Service struct {
	*Index
	options Options
	log     *log // nil without a store

	// began is the time at which it was made.
	began time.Time
	phase atomic.Int32
	// lastContact is when the store last answered: by the wall clock, in Unix
	// milliseconds, and by the steady clock.
	lastContact       atomic.Int64
	lastContactSteady atomic.Int64
	// storeTimeKnown: the store has answered with its time.
	storeTimeKnown atomic.Bool
	// storeErr is why the store did not answer last; nil while it does.
	storeErr atomic.Pointer[error]
	// lifetimesDiffer: another node needs entries for longer.
	lifetimesDiffer atomic.Bool
	// unsynced: there are entries that the store may not have.
	unsynced    atomic.Bool
	unconfirmed unconfirmed
	follower    follower // used by the background goroutine alone
	counts      counts
	deliveries  deliveries

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// counts are for [Stats].
type counts struct {
	received, revoked, failures, rewritten, ignored, forgot atomic.Uint64
}

// The phases of a service with a store.
const (
	starting   int32 = iota // not all entries of the store are in the index yet
	current                 // all of them are
	cutOff                  // the store does not answer; the index was current before
	catchingUp              // the store answers again, and is being read
)

// New returns a service. It has the entries of its group, and reads the store after
// [Service.Start].
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
		o.times = defaultTimes
	}
	s := &Service{Index: NewIndex(o.Lifetime, o.MaxEntries), began: o.Now(), follower: follower{cursor: beginning}}
	if o.elapsed == nil {
		o.elapsed = func() time.Duration { return o.Now().Sub(s.began) }
	}
	s.options = o
	s.setMargin(o.times.margin)
	s.deliveries.remembered = sync.OnceValue(newRemembered)
	s.anyAge.Store(o.AnyAge)
	if o.Redis != nil {
		s.log = &log{o.Redis, newKeys(o.Prefix, o.Instance), s.lifetime + s.margin, o.times}
	}
	if o.Group != nil {
		o.Group.add(s)
	}
	return s
}

// steadyNow returns the time of the steady clock, which is never set: it is that of the
// wall clock as long as nobody sets that.
func (s *Service) steadyNow() time.Time { return s.began.Add(s.options.elapsed()) }

// Start reads the store in the background until ctx ends or [Service.Close] is called.
// Call it once.
func (s *Service) Start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done.Go(func() { s.sweeps(ctx) })
	if s.log != nil {
		s.done.Go(func() { s.follow(ctx) })
	}
}

// Close stops the background work, and waits for it.
func (s *Service) Close() {
	if s.options.Group != nil {
		s.options.Group.remove(s)
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.done.Wait()
}

// Revoked implements [policy.Revocations]. Before the store was read, and with
// [Options.Deny] while it is unavailable, the reason is
// [policy.ReasonRevocationsUnavailable].
func (s *Service) Revoked(p *policy.Principal, now time.Time) policy.Reason {
	if s.log != nil && s.mustDeny(now) {
		return policy.ReasonRevocationsUnavailable
	}
	return s.Index.Revoked(p, now)
}

// mustDeny reports whether requests must be denied because entries may be missing: the
// store was not read yet, or with Deny, it has not answered for longer than [Grace].
// Without Deny, a store that cannot be read at all denies no request for longer than
// [Grace].
func (s *Service) mustDeny(now time.Time) bool {
	phase := s.phase.Load()
	if phase == starting {
		return s.options.Deny || s.options.elapsed() <= s.options.times.grace
	}
	if !s.options.Deny {
		return false
	}
	// By either clock: the wall clock may be set, and the steady clock stops while a
	// machine sleeps.
	return now.UnixMilli()-s.lastContact.Load() > s.options.times.grace.Milliseconds() ||
		phase != current && s.steadyNow().UnixMilli()-s.lastContactSteady.Load() > s.options.times.grace.Milliseconds()
}

// Await waits until all entries of the store are in the index, for limit from the start
// at most.
func (s *Service) Await(limit time.Duration) {
	for range limit / awaitInterval {
		if s.log == nil || s.phase.Load() != starting || s.options.elapsed() >= limit {
			return
		}
		time.Sleep(awaitInterval)
	}
}

// Ready reports whether all entries of the store are in the index. A service whose store
// has become unavailable is ready, unless [Options.Deny] is set.
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

// StoreError returns why the store does not answer; nil while it does, and without a
// store.
func (s *Service) StoreError() error {
	if err := s.storeErr.Load(); err != nil {
		return *err
	}
	return nil
}

// Away returns how long the store has not answered, since the start if it never has; 0
// while it answers, and without a store.
func (s *Service) Away() time.Duration {
	if s.log == nil || s.phase.Load() == current {
		return 0
	}
	last := s.began.UnixMilli()
	if contact := s.lastContactSteady.Load(); contact > 0 {
		last = contact
	}
	return max(0, time.Duration(s.steadyNow().UnixMilli()-last)*time.Millisecond)
}

// Revoke applies entries, in this process at once, and in all others as soon as they
// have read them from the store. It returns an error if an entry is invalid, and then
// applies none; or if the store did not accept them: they are then still applied here.
func (s *Service) Revoke(ctx context.Context, entries ...Entry) error {
	for i := range entries {
		if err := entries[i].validate(); err != nil {
			return fmt.Errorf("revoking: %w", err)
		}
	}
	made := make([]agedEntry, 0, len(entries))
	for _, e := range entries {
		made = append(made, agedEntry{Entry: e})
	}
	s.apply(s.steadyNow(), made, false)
	if s.options.Group != nil {
		s.options.Group.share(s, made)
	}
	s.counts.revoked.Add(uint64(len(entries)))
	if s.log == nil {
		return nil
	}
	if err := s.log.append(ctx, made, false); err != nil {
		s.counts.failures.Add(1)
		s.unsynced.Store(true)
		return err
	}
	if !s.unconfirmed.add(made) {
		s.unsynced.Store(true)
	}
	return nil
}

// RevokeSession revokes a session, as [Service.Revoke].
func (s *Service) RevokeSession(ctx context.Context, sessionID string) error {
	return s.Revoke(ctx, Ended(sessionID, s.options.Now()))
}

// sweeps drops expired entries and compares the clocks, periodically.
func (s *Service) sweeps(ctx context.Context) {
	sweep, clocks := time.NewTicker(s.options.times.sweep), time.NewTicker(clockInterval)
	defer sweep.Stop()
	defer clocks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.sweep(s.steadyNow())
		case <-clocks.C:
			s.compareClocks()
		}
	}
}

// storeTime returns the time by the store's clock, in Unix milliseconds, and whether it
// is known.
func (s *Service) storeTime() (int64, bool) {
	return s.steadyNow().UnixMilli() + s.storeAhead.Load(), s.storeTimeKnown.Load()
}

// clocks returns the present time by the wall clock and by the store's clock. Either may
// be wrong.
func (s *Service) clocks() []time.Time {
	clocks := []time.Time{s.options.Now()}
	if store, known := s.storeTime(); known {
		clocks = append(clocks, time.UnixMilli(store))
	}
	return clocks
}

// compareClocks computes how far the wall clock is behind the store's. Without a store it
// compares it with the steady clock, but only for a wall clock that is ahead: one that
// was set back may have been wrong before.
func (s *Service) compareClocks() {
	better, known := s.storeTime()
	behind := better - s.options.Now().UnixMilli()
	if !known {
		behind = min(behind, 0)
	}
	if max(behind, -behind) < clockTolerance.Milliseconds() {
		behind = 0
	}
	s.clockBehind.Store(behind)
}

// Stats are the counts of a [Service] since it was made, for metrics.
type Stats struct {
	// Entries is how many subjects have an entry.
	Entries int
	// Received, Revoked and Rewritten count entries that were read from the store, made
	// in this process, and written back to the store. Ignored counts invalid entries that
	// were read, Forgot how often the store had lost entries, and Failures the calls that
	// it did not answer.
	Received, Revoked, Rewritten, Ignored, Forgot, Failures uint64
	// Away is [Service.Away].
	Away time.Duration
	// LifetimesDiffer reports that another node is configured with a longer Lifetime.
	LifetimesDiffer bool
	// Webhooks counts the deliveries to all receivers.
	Webhooks WebhookStats
}

// Stats returns the counts so far.
func (s *Service) Stats() Stats {
	c := &s.counts
	return Stats{
		Entries: s.Len(), Received: c.received.Load(), Revoked: c.revoked.Load(), Rewritten: c.rewritten.Load(),
		Ignored: c.ignored.Load(), Forgot: c.forgot.Load(), Failures: c.failures.Load(),
		Away: s.Away(), LifetimesDiffer: s.lifetimesDiffer.Load(), Webhooks: s.deliveries.stats(),
	}
}
