package jwt

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

const (
	refreshEvery  = 5 * time.Minute        // between background fetches, while they succeed
	fetchFloor    = 10 * time.Second       // between fetches that requests cause
	defaultStale  = 24 * time.Hour         // how long keys count without a successful fetch
	firstBackoff  = 500 * time.Millisecond // after a failed background fetch, doubling
	longestPause  = 30 * time.Second       // the end of the doubling
	jitterPortion = 5                      // pauses vary by a fifth
)

// RemoteKeySet is the key set of an instance, refreshed in the background by
// [RemoteKeySet.Start]. Known keys are found without a lock. A token with an unknown key
// ID may wait for a fetch; fetches are shared, and at most one is made in ten seconds,
// whether it succeeds or fails.
type RemoteKeySet struct {
	source  RemoteKeys
	client  *http.Client
	current atomic.Pointer[snapshot]
	flight  singleflight.Group

	mu      sync.Mutex
	tried   time.Time // when the last fetch ended
	lastErr error     // how it ended

	life context.Context // of fetches: no one request's
	end  context.CancelFunc
	loop sync.WaitGroup
}

// RemoteKeys say where a [RemoteKeySet] comes from.
type RemoteKeys struct {
	// URL is the address of the JSON Web Key Set: https, or http on this host.
	URL string
	// SecretKey goes along as bearer token; empty for a public address.
	SecretKey string
	// MaxStale is how long keys are used without a successful fetch. Default: 24 h.
	MaxStale time.Duration
	// HTTPClient makes the connections. Default: [http.DefaultClient].
	HTTPClient *http.Client
	// Logger logs failed fetches. Default: discarded.
	Logger *slog.Logger
	// Now is the clock of the background. Default: [time.Now].
	Now func() time.Time
	// ReferenceCompat reads the set as Clerk's own library does: see
	// [Expected.ReferenceCompat].
	ReferenceCompat bool
}

// snapshot is a fetched key set. It is never changed.
type snapshot struct {
	keys    keyMap
	fetched time.Time
}

// NewRemoteKeySet returns an empty key set. It fetches on first use, or from
// [RemoteKeySet.Start] on.
func NewRemoteKeySet(source RemoteKeys) (*RemoteKeySet, error) {
	if err := calls.CheckEndpoint(source.URL); err != nil {
		return nil, fmt.Errorf("key set address: %w", err)
	}
	source.MaxStale = cmp.Or(source.MaxStale, defaultStale)
	if source.Logger == nil {
		source.Logger = slog.New(slog.DiscardHandler)
	}
	if source.Now == nil {
		source.Now = time.Now
	}
	r := &RemoteKeySet{source: source, client: calls.Client(source.HTTPClient)}
	r.life, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Key implements [KeySet].
func (r *RemoteKeySet) Key(ctx context.Context, kid string, now time.Time) (*Key, error) {
	if key, ok := r.lookup(kid, now); ok {
		return key, nil
	}
	if kid == "" && r.fresh(now) {
		return nil, ErrUnknownKey
	}
	if err := r.fetchForRequest(ctx, now); err != nil {
		return nil, err
	}
	if key, ok := r.lookup(kid, now); ok {
		return key, nil
	}
	return nil, r.absence(now)
}

// lookup finds a key in a set that is not stale.
func (r *RemoteKeySet) lookup(kid string, now time.Time) (*Key, bool) {
	s := r.current.Load()
	if s == nil || now.Sub(s.fetched) > r.source.MaxStale {
		return nil, false
	}
	key, ok := s.keys[kid]
	return key, ok
}

// fresh reports whether there is a set that is not stale.
func (r *RemoteKeySet) fresh(now time.Time) bool {
	s := r.current.Load()
	return s != nil && now.Sub(s.fetched) <= r.source.MaxStale
}

// absence says why a key was not found: a set fetched without trouble does not
// have it, or it cannot be told, since a rotated key may be behind the trouble.
func (r *RemoteKeySet) absence(now time.Time) error {
	if err := r.outcome(); err != nil {
		return fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	if !r.fresh(now) {
		return ErrKeysUnavailable
	}
	return ErrUnknownKey
}

// fetchForRequest fetches unless a fetch ended in the last ten seconds. It joins
// the one under way, and waits no longer than ctx allows. Only ctx's own error
// is returned; how the fetch ended is for absence to say.
func (r *RemoteKeySet) fetchForRequest(ctx context.Context, now time.Time) error {
	if r.triedWithin(fetchFloor, now) {
		return nil
	}
	done := r.flight.DoChan("", func() (any, error) {
		if r.triedWithin(fetchFloor, now) { // one ended since
			return nil, r.outcome()
		}
		return nil, r.fetch()
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for keys: %w", ctx.Err())
	}
}

func (r *RemoteKeySet) triedWithin(d time.Duration, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.tried.IsZero() && now.Sub(r.tried) < d
}

// outcome is how the last fetch ended.
func (r *RemoteKeySet) outcome() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastErr
}

// fetch replaces the set if a good one comes back, and keeps the old one
// otherwise.
func (r *RemoteKeySet) fetch() error {
	ctx, cancel := context.WithTimeout(calls.Because(r.life, calls.ForKeys, netip.Addr{}), calls.Timeout)
	defer cancel()
	keys, err := r.download(ctx)
	now := r.source.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried, r.lastErr = now, err
	if err != nil {
		r.source.Logger.Warn("cannot fetch verification keys", "error", err)
		return err
	}
	r.current.Store(&snapshot{keys, now})
	return nil
}

func (r *RemoteKeySet) download(ctx context.Context) (keyMap, error) {
	body, err := calls.Get(ctx, r.client, r.source.URL, r.source.SecretKey)
	if err != nil {
		return nil, err
	}
	return parseKeySet(body, compat.Of(r.source.ReferenceCompat))
}

// Start fetches the set and keeps it fresh until ctx ends or
// [RemoteKeySet.Close] is called: every five minutes, and after failures sooner.
func (r *RemoteKeySet) Start(ctx context.Context) {
	r.loop.Go(func() {
		pause := firstBackoff
		for {
			wait := refreshEvery
			if r.refresh() != nil {
				wait, pause = pause, min(2*pause, longestPause)
			} else {
				pause = firstBackoff
			}
			select {
			case <-time.After(jittered(wait)):
			case <-ctx.Done():
				return
			case <-r.life.Done():
				return
			}
		}
	})
}

// refresh fetches, or waits for the fetch under way.
func (r *RemoteKeySet) refresh() error {
	_, err, _ := r.flight.Do("", func() (any, error) { return nil, r.fetch() })
	return err
}

// jittered varies a pause, so that a fleet does not fetch in step.
func jittered(d time.Duration) time.Duration {
	spread := d / jitterPortion
	return d - spread/2 + rand.N(spread)
}

// Close stops the background and the fetch under way, and waits for the former.
func (r *RemoteKeySet) Close() {
	r.end()
	r.loop.Wait()
}

// Ready reports whether there are keys to verify with.
func (r *RemoteKeySet) Ready() bool { return r.fresh(r.source.Now()) }

// LastFetch returns when a set was last fetched, the zero time for never, and how the
// fetch after that failed; nil if it did not.
func (r *RemoteKeySet) LastFetch() (fetched time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.current.Load(); s != nil {
		fetched = s.fetched
	}
	return fetched, r.lastErr
}

// Age returns how long ago the keys were fetched, and false without any.
func (r *RemoteKeySet) Age(now time.Time) (time.Duration, bool) {
	s := r.current.Load()
	if s == nil {
		return 0, false
	}
	return now.Sub(s.fetched), true
}

var _ KeySet = (*RemoteKeySet)(nil)
