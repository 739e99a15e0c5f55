package ratelimit

import (
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// start is an instant at which windows of every length that divides an hour
// begin.
var start = time.Unix(472_223*3600, 0)

// resolution is how far the durations of a result may be from those of the
// conformance tables.
const resolution = time.Millisecond

// step is a number of equal requests at one instant, and the answer to the last.
type step struct {
	at    time.Duration
	key   string
	times int // 0 is 1
	cost  int // 0 is 1

	allowed   bool
	remaining int
	reset     time.Duration
	retry     time.Duration
}

// conformance are sequences of requests against one quota, on a limiter that
// knows no key.
var conformance = map[string]struct {
	quota policy.Quota
	steps []step
}{
	// The sequence and the numbers of Upstash's slidingWindow(10, "10 s"), but
	// for 19 s: there 10·(1 - 0.9) is exactly 1 in integers, and a little less
	// in floating point.
	"sliding window of ten in ten seconds": {sliding(10, 10*time.Second), []step{
		{at: ms(1000), allowed: true, remaining: 9, reset: ms(9000)},
		{at: ms(1000), times: 9, allowed: true, remaining: 0, reset: ms(9000), retry: ms(9001)},
		{at: ms(1000), times: 2, reset: ms(9000), retry: ms(9001)},
		{at: ms(9999), reset: ms(1), retry: ms(2)},
		{at: ms(10_000), reset: ms(10_000), retry: ms(1)},
		{at: ms(10_001), allowed: true, reset: ms(9999), retry: ms(1000)},
		{at: ms(10_999), reset: ms(9001), retry: ms(2)},
		{at: ms(11_000), times: 2, reset: ms(9000), retry: ms(1)},
		{at: ms(12_000), allowed: true, reset: ms(8000), retry: ms(1)},
		{at: ms(14_000), allowed: true, remaining: 1, reset: ms(6000)},
		{at: ms(15_000), allowed: true, remaining: 1, reset: ms(5000)},
		{at: ms(16_000), allowed: true, remaining: 1, reset: ms(4000)},
		{at: ms(19_000), allowed: true, remaining: 3, reset: ms(1000)},
		{at: ms(20_000), allowed: true, remaining: 3, reset: ms(10_000)},
	}},
	"sliding window spent at the end of one window and as the next frees": {sliding(10, 10*time.Second), []step{
		{at: ms(9900), times: 10, allowed: true, reset: ms(100), retry: ms(101)},
		{at: ms(10_000), reset: ms(10_000), retry: ms(1)},
		{at: ms(10_100), allowed: true, reset: ms(9900), retry: ms(901)},
		{at: ms(11_000), reset: ms(9000), retry: ms(1)},
		{at: ms(12_000), allowed: true, reset: ms(8000), retry: ms(1)},
		{at: ms(13_000), allowed: true, reset: ms(7000), retry: ms(1)},
		{at: ms(15_000), times: 2, allowed: true, reset: ms(5000), retry: ms(1)},
		{at: ms(17_000), times: 2, allowed: true, reset: ms(3000), retry: ms(1)},
		{at: ms(19_000), times: 2, allowed: true, reset: ms(1000), retry: ms(1)},
		{at: ms(19_001), allowed: true, reset: ms(999), retry: ms(1000)},
		{at: ms(19_999), reset: ms(1), retry: ms(2)},
	}},
	"sliding window checks the cost before it counts": {sliding(10, 10*time.Second), []step{
		{at: 0, cost: 9, allowed: true, remaining: 1, reset: ms(10_000), retry: ms(17_778)},
		{at: 0, cost: 5, remaining: 1, reset: ms(10_000), retry: ms(13_334)},
		{at: 0, cost: 1, allowed: true, remaining: 0, reset: ms(10_000), retry: ms(10_001)},
		{at: ms(14_000), cost: 5, remaining: 4, reset: ms(6000), retry: ms(1)},
		{at: ms(14_001), cost: 5, allowed: true, reset: ms(5999), retry: ms(5000)},
	}},
	"sliding window never passes a cost above the limit": {sliding(10, 10*time.Second), []step{
		{at: 0, cost: 11, remaining: 10, reset: ms(10_000)},
		{at: 0, cost: 10, allowed: true, reset: ms(10_000), retry: ms(19_001)},
		{at: ms(19_000), cost: 11, remaining: 9, reset: ms(1000)},
	}},
	"sliding window of one": {sliding(1, time.Minute), []step{
		{at: 0, allowed: true, reset: ms(60_000), retry: ms(60_000)},
		{at: ms(59_999), reset: ms(1), retry: ms(1)},
		{at: ms(60_001), allowed: true, reset: ms(59_999), retry: ms(60_000)},
	}},
	"sliding window is whole after two windows": {sliding(3, time.Second), []step{
		{at: ms(500), times: 3, allowed: true, reset: ms(500), retry: ms(501)},
		{at: ms(2000), allowed: true, remaining: 2, reset: ms(1000)},
	}},
	"token bucket of five in ten seconds that holds ten": {bucket(5, 10*time.Second, 10), []step{
		{at: 0, allowed: true, remaining: 9, reset: ms(2000)},
		{at: 0, times: 9, allowed: true, reset: ms(20_000), retry: ms(2000)},
		{at: ms(1000), reset: ms(19_000), retry: ms(1000)},
		{at: ms(1999), reset: ms(18_001), retry: ms(1)},
		{at: ms(2000), allowed: true, reset: ms(20_000), retry: ms(2000)},
		{at: ms(7000), allowed: true, remaining: 1, reset: ms(17_000)},
		{at: ms(7000), cost: 2, remaining: 1, reset: ms(17_000), retry: ms(1000)},
		{at: ms(8000), cost: 2, allowed: true, reset: ms(20_000), retry: ms(4000)},
		{at: ms(28_000), cost: 11, remaining: 10},
		{at: ms(28_000), cost: 10, allowed: true, reset: ms(20_000), retry: ms(20_000)},
	}},
	"token bucket without a burst holds its limit": {bucket(4, time.Second, 0), []step{
		{at: 0, times: 4, allowed: true, reset: ms(1000), retry: ms(250)},
		{at: 0, reset: ms(1000), retry: ms(250)},
		{at: ms(500), times: 2, allowed: true, reset: ms(1000), retry: ms(250)},
	}},
	"token bucket never holds more than its burst": {bucket(10, time.Second, 2), []step{
		{at: 0, times: 2, allowed: true, reset: ms(200), retry: ms(100)},
		{at: ms(3_600_000), times: 2, allowed: true, reset: ms(200), retry: ms(100)},
		{at: ms(3_600_000), reset: ms(200), retry: ms(100)},
	}},
	"fixed window begins anew at its end": {fixed(10, 10*time.Second), []step{
		{at: ms(9000), times: 10, allowed: true, reset: ms(1000), retry: ms(1000)},
		{at: ms(9999), reset: ms(1), retry: ms(1)},
		{at: ms(10_000), times: 10, allowed: true, reset: ms(10_000), retry: ms(10_000)},
		{at: ms(10_000), reset: ms(10_000), retry: ms(10_000)},
		{at: ms(35_000), allowed: true, remaining: 9, reset: ms(5000)},
	}},
	"fixed window checks the cost before it counts": {fixed(10, 10*time.Second), []step{
		{at: 0, cost: 8, allowed: true, remaining: 2, reset: ms(10_000), retry: ms(10_000)},
		{at: 0, cost: 3, remaining: 2, reset: ms(10_000), retry: ms(10_000)},
		{at: 0, cost: 2, allowed: true, reset: ms(10_000), retry: ms(10_000)},
		{at: ms(10_000), cost: 11, remaining: 10, reset: ms(10_000)},
	}},
	"keys do not meet": {sliding(1, time.Second), []step{
		{at: 0, key: "a", allowed: true, reset: ms(1000), retry: ms(1000)},
		{at: 0, key: "b", allowed: true, reset: ms(1000), retry: ms(1000)},
		{at: 0, key: "", allowed: true, reset: ms(1000), retry: ms(1000)},
		{at: 0, key: "a", reset: ms(1000), retry: ms(1000)},
	}},
	"a limit of nothing admits nothing": {sliding(0, time.Second), []step{
		{at: 0},
		{at: ms(5000)},
	}},
}

func TestMemoryConforms(t *testing.T) {
	testLimiter(t, func(*testing.T) policy.Limiter { return NewMemory(Options{}) })
}

// testLimiter drives new limiters through the conformance tables. Any
// policy.Limiter that counts at the time it is given passes.
func testLimiter(t *testing.T, newLimiter func(*testing.T) policy.Limiter) {
	for name, tt := range conformance {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLimiter(t)
			for _, s := range tt.steps {
				cost := max(1, s.cost)
				for range s.times - 1 {
					take(t, l, start.Add(s.at), s.key, tt.quota, cost)
				}
				got := take(t, l, start.Add(s.at), s.key, tt.quota, cost)
				s.compare(t, got, tt.quota)
			}
		})
	}
}

func (s *step) compare(t *testing.T, got policy.LimitResult, q policy.Quota) {
	t.Helper()
	if got.Name != limitName || got.Limit != q.Limit || got.Window != q.Window {
		t.Errorf("at %v: result is of %q, %d per %v; want that of the check", s.at, got.Name, got.Limit, got.Window)
	}
	if got.Allowed != s.allowed || got.Remaining != s.remaining {
		t.Errorf("at %v: allowed %t, remaining %d; want %t, %d", s.at, got.Allowed, got.Remaining, s.allowed, s.remaining)
	}
	if !near(got.Reset, s.reset) || !near(got.RetryAfter, s.retry) {
		t.Errorf("at %v: reset %v, retry after %v; want %v, %v", s.at, got.Reset, got.RetryAfter, s.reset, s.retry)
	}
}

func near(a, b time.Duration) bool { return (a - b).Abs() <= resolution }

const limitName = "per-user"

// take asks l for one answer.
func take(t testing.TB, l policy.Limiter, now time.Time, key string, q policy.Quota, cost int) policy.LimitResult {
	t.Helper()
	checks := []policy.LimitCheck{{Name: limitName, Key: key, Quota: q, Cost: cost}}
	results := make([]policy.LimitResult, 1)
	if err := l.Take(t.Context(), now, checks, results); err != nil {
		t.Fatalf("Take: %v", err)
	}
	return results[0]
}

func sliding(limit int, window time.Duration) policy.Quota {
	return policy.Quota{Algorithm: policy.SlidingWindow, Limit: limit, Window: window}
}

func fixed(limit int, window time.Duration) policy.Quota {
	return policy.Quota{Algorithm: policy.FixedWindow, Limit: limit, Window: window}
}

func bucket(limit int, window time.Duration, burst int) policy.Quota {
	return policy.Quota{Algorithm: policy.TokenBucket, Limit: limit, Window: window, Burst: burst}
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// idOf is what a check of those that take asks for is counted as.
func idOf(name, key string, q policy.Quota) id {
	check := policy.LimitCheck{Name: name, Key: key, Quota: q, Cost: 1}
	counted, err := newQuota(&check)
	if err != nil {
		panic(err)
	}
	return newID(0, &check, &counted)
}

func at[T any](v T) *T { return &v }
