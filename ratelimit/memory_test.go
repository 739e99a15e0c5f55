package ratelimit

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

func TestTakeAnswersEveryCheckApart(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{})
	one, many := sliding(1, time.Minute), bucket(10, time.Second, 20)
	checks := []policy.LimitCheck{
		{Name: "one", Key: "u", Quota: one, Cost: 1},
		{Name: "one", Key: "u", Quota: one, Cost: 1},
		{Name: "many", Key: "u", Quota: many, Cost: 1},
		{Name: "onemany", Key: "", Quota: one, Cost: 1},
		{Name: "", Key: "onemany", Quota: one, Cost: 1},
		{Name: "on", Key: "eu", Quota: one, Cost: 1},
	}
	results := make([]policy.LimitResult, len(checks))
	results[1].Allowed = true
	if err := m.Take(t.Context(), start, checks, results); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true, true, true, true} {
		if results[i].Allowed != want || results[i].Name != checks[i].Name {
			t.Errorf("check %d: %q allowed %t, want %q and %t", i, results[i].Name, results[i].Allowed, checks[i].Name, want)
		}
	}
}

func TestTakeRefusesChecksThatMakeNoSense(t *testing.T) {
	t.Parallel()
	good := policy.LimitCheck{Name: "good", Key: "secret-key", Quota: sliding(1, time.Minute), Cost: 1}
	tests := map[string]struct {
		edit func(*policy.LimitCheck)
		want string
	}{
		"no algorithm":      {func(c *policy.LimitCheck) { c.Quota.Algorithm = "" }, `limit "bad": unknown algorithm ""`},
		"another algorithm": {func(c *policy.LimitCheck) { c.Quota.Algorithm = "fixed" }, `unknown algorithm "fixed"`},
		"no window":         {func(c *policy.LimitCheck) { c.Quota.Window = 0 }, "window 0s"},
		"a negative window": {func(c *policy.LimitCheck) { c.Quota.Window = -1 }, "window -1ns"},
		"an endless window": {func(c *policy.LimitCheck) { c.Quota.Window = math.MaxInt64 }, "window 2562047h47m16.854775807s"},
		"a negative burst":  {func(c *policy.LimitCheck) { c.Quota = bucket(1, 1, -1) }, "burst -1"},
		"no cost":           {func(c *policy.LimitCheck) { c.Cost = 0 }, "cost 0"},
		"a negative cost":   {func(c *policy.LimitCheck) { c.Cost = -5 }, "cost -5"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMemory(Options{})
			bad := good
			bad.Name = "bad"
			tt.edit(&bad)
			results := []policy.LimitResult{{Allowed: true}, {Allowed: true}}
			err := m.Take(t.Context(), start, []policy.LimitCheck{good, bad}, results)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), good.Key) {
				t.Errorf("error %v shows the key", err)
			}
			if results[0].Allowed || results[1].Allowed {
				t.Error("a result allows beside the error")
			}
			if err := m.Take(t.Context(), start, []policy.LimitCheck{good}, results[:1]); err != nil || !results[0].Allowed {
				t.Errorf("the good check was counted beside the error: %v, %v", results[0].Allowed, err)
			}
		})
	}
}

func TestTakeRefusesWhatItCannotAnswer(t *testing.T) {
	t.Parallel()
	checks := []policy.LimitCheck{{Quota: sliding(1, time.Minute), Cost: 1}}
	if err := new(Memory).Take(t.Context(), start, checks, make([]policy.LimitResult, 1)); err == nil {
		t.Error("the zero Memory answered")
	}
	for _, room := range []int{0, 2} {
		if err := NewMemory(Options{}).Take(t.Context(), start, checks, make([]policy.LimitResult, room)); err == nil {
			t.Errorf("room for %d results was enough for 1 check", room)
		}
	}
}

func TestOptionsBoundTheTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		options      Options
		shards, keys int
	}{
		{Options{}, DefaultShards, DefaultMaxKeys},
		{Options{MaxKeys: -1, Shards: -1}, DefaultShards, DefaultMaxKeys},
		{Options{MaxKeys: 1000, Shards: 5}, 8, 1000},
		{Options{MaxKeys: 1, Shards: 64}, 1, 1},
		{Options{MaxKeys: 3, Shards: 64}, 2, 2},
		{Options{MaxKeys: 100, Shards: 1}, 1, 100},
	}
	for _, tt := range tests {
		m := NewMemory(tt.options)
		keys := 0
		for i := range m.shards {
			keys += m.shards[i].maxKeys
		}
		if len(m.shards) != tt.shards || keys != tt.keys {
			t.Errorf("%+v: %d keys in %d shards, want %d in %d", tt.options, keys, len(m.shards), tt.keys, tt.shards)
		}
	}
}

func TestConcurrentTakesAddUp(t *testing.T) {
	t.Parallel()
	const workers, rounds, keys, limit = 16, 2000, 7, 1000
	for name, q := range map[string]policy.Quota{"sliding window": sliding(limit, time.Hour), "token bucket": bucket(1, time.Hour, limit)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMemory(Options{})
			var allowed [keys]atomic.Int64
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := range rounds {
						key := (w + i) % keys
						// Those who call at one time are heard at many.
						now := start.Add(time.Duration((i*7919+w)%5000) * time.Microsecond)
						if take(t, m, now, fmt.Sprint(key), q, 1).Allowed {
							allowed[key].Add(1)
						}
						take(t, m, now, fmt.Sprint("other", w, i), q, 1)
					}
				})
			}
			wg.Wait()
			for key := range keys {
				if got := allowed[key].Load(); got != limit {
					t.Errorf("key %d: %d passed, want %d", key, got, limit)
				}
			}
			for i := range m.shards {
				m.shards[i].check(t)
			}
		})
	}
}

func TestWarmTakeDoesNotAllocate(t *testing.T) {
	m := NewMemory(Options{})
	checks := []policy.LimitCheck{
		{Name: "a", Key: "user_1", Quota: sliding(10, time.Second), Cost: 1},
		{Name: "b", Key: "user_1", Quota: bucket(10, time.Second, 10), Cost: 1},
	}
	results := make([]policy.LimitResult, len(checks))
	now, n := time.Now(), 0
	pauses := []time.Duration{0, 0, 10 * time.Millisecond, time.Second, time.Minute}
	allocs := testing.AllocsPerRun(1000, func() {
		now = now.Add(pauses[n%len(pauses)])
		n++
		if err := m.Take(t.Context(), now, checks, results); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%.1f allocations, want 0", allocs)
	}
}

// A third of a second is no whole number of nanoseconds.
func TestBucketRegainsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{})
	if got := take(t, m, start, "k", bucket(3, time.Second, 1), 1).RetryAfter; got != 333_333_334 {
		t.Errorf("regains one in %d ns, want 333333334", got)
	}
}
