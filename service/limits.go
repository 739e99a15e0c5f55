package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// Limits are the counts that the instances of a document share in Redis, for those
// who operate them. It is safe for concurrent use; use [OpenLimits].
type Limits struct {
	config *setup.Config
	stores *setup.Stores // nil without a Redis
	wait   time.Duration
}

// ErrNoRedis says that the document names no Redis: each process counts in its own
// memory, which no other can reach.
var ErrNoRedis = errors.New("service: the document names no redis")

// OpenLimits reads the document at path. Each limit of a key waits so long for
// Redis: a person is more patient than a request, whose time is redis.budget.
func OpenLimits(path string, wait time.Duration) (*Limits, error) {
	config, _, err := setup.LoadFile(path)
	if err != nil {
		return nil, err
	}
	l := &Limits{config: config, wait: wait}
	if config.Redis.Enabled() {
		config.Redis.Budget = policy.Duration(wait)
		l.stores, err = setup.OpenStores(config, setup.NewMemory(), setup.Options{})
	}
	return l, err
}

// Standing is how a key stands with a limit.
type Standing struct {
	policy.LimitCheck
	// Result is what a request of that cost would be answered.
	Result policy.LimitResult
}

// Show returns, without counting, how a key stands with each of its limits.
func (l *Limits) Show(ctx context.Context, key policy.LimitQuery) ([]Standing, error) {
	var shown []Standing
	err := l.each(ctx, key, func(ctx context.Context, check policy.LimitCheck) error {
		result, err := l.stores.Shared.Show(ctx, l.stores.Instance, check)
		shown = append(shown, Standing{check, result})
		return err
	})
	return shown, err
}

// Reset forgets what was counted against a key, and returns the names of the limits.
// All instances let the key in again within five seconds.
func (l *Limits) Reset(ctx context.Context, key policy.LimitQuery) (names []string, err error) {
	err = l.each(ctx, key, func(ctx context.Context, check policy.LimitCheck) error {
		if !slices.Contains(names, check.Name) { // once, whatever number of quotas it has
			names = append(names, check.Name)
		}
		return l.stores.Shared.Reset(ctx, l.stores.Instance, check)
	})
	return names, err
}

// each does something with all counts of a key, until it fails.
func (l *Limits) each(ctx context.Context, key policy.LimitQuery, do func(context.Context, policy.LimitCheck) error) error {
	checks, err := l.config.LimitChecks(key)
	if err != nil {
		return err
	}
	if l.stores == nil {
		return ErrNoRedis
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(checks))*l.wait)
	defer cancel()
	for _, check := range checks {
		if err := do(ctx, check); err != nil {
			return err
		}
	}
	return nil
}

// Close ends what holds Redis.
func (l *Limits) Close() {
	if l.stores != nil {
		l.stores.Close()
	}
}
