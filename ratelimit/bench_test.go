package ratelimit

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

func BenchmarkLimiter(b *testing.B) {
	slidingWindow, tokenBucket := sliding(100, time.Second), bucket(100, time.Second, 200)
	b.Run("memory", func(b *testing.B) {
		b.Run("sliding_window", func(b *testing.B) { benchmarkTake(b, slidingWindow, 1) })
		b.Run("token_bucket", func(b *testing.B) { benchmarkTake(b, tokenBucket, 1) })
		b.Run("parallel", func(b *testing.B) { benchmarkParallel(b, slidingWindow) })
		b.Run("many_keys", func(b *testing.B) { benchmarkTake(b, slidingWindow, 100_000) })
		b.Run("fixed_window", func(b *testing.B) { benchmarkTake(b, fixed(100, time.Second), 1) })
		b.Run("ten_million_keys", func(b *testing.B) { benchmarkOffer(b, 10_000_000) })
		b.Run("new_keys", func(b *testing.B) { benchmarkTake(b, slidingWindow, 3*DefaultMaxKeys) })
	})
}

// benchmarkTake goes round keys, 10 µs apart.
func benchmarkTake(b *testing.B, q policy.Quota, keys int) {
	b.ReportAllocs()
	m := NewMemory(Options{})
	names := keyNames(keys)
	checks := []policy.LimitCheck{{Name: limitName, Quota: q, Cost: 1}}
	results := make([]policy.LimitResult, 1)
	now, i := time.Now(), 0
	for range names {
		checks[0].Key = names[i]
		i = (i + 1) % keys
		if err := m.Take(b.Context(), now, checks, results); err != nil {
			b.Fatal(err)
		}
	}
	ctx := b.Context()
	for b.Loop() {
		now = now.Add(10 * time.Microsecond)
		checks[0].Key = names[i]
		if i++; i == keys {
			i = 0
		}
		if err := m.Take(ctx, now, checks, results); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkOffer offers that many different keys, and holds that no more memory is
// used than is stated for those that are kept.
func benchmarkOffer(b *testing.B, keys int) {
	checks := []policy.LimitCheck{{Name: limitName, Quota: sliding(10, time.Minute), Cost: 1}}
	results := make([]policy.LimitResult, 1)
	ctx := b.Context()
	for b.Loop() {
		before := heap()
		m := NewMemory(Options{})
		for i := range keys {
			checks[0].Key = "user_2f8TnBrJ0kqPpXzW" + strconv.Itoa(keys+i)
			if err := m.Take(ctx, start.Add(time.Duration(i)*time.Microsecond), checks, results); err != nil {
				b.Fatal(err)
			}
		}
		used := float64(heap() - before)
		runtime.KeepAlive(m)
		b.ReportMetric(used/(1<<20), "MiB")
		b.ReportMetric(used/DefaultMaxKeys, "B/key")
		if used > 256*DefaultMaxKeys {
			b.Fatalf("%.0f bytes for %d keys, want no more than 256 for each", used, DefaultMaxKeys)
		}
	}
}

// benchmarkParallel has every goroutine ask for all of a thousand keys.
func benchmarkParallel(b *testing.B, q policy.Quota) {
	b.ReportAllocs()
	m := NewMemory(Options{})
	names := keyNames(1000)
	first := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		checks := []policy.LimitCheck{{Name: limitName, Quota: q, Cost: 1}}
		results := make([]policy.LimitResult, 1)
		ctx := b.Context()
		for i := 0; pb.Next(); i++ {
			checks[0].Key = names[i%len(names)]
			if err := m.Take(ctx, first.Add(time.Duration(i)*time.Microsecond), checks, results); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func keyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "user_2f8TnBrJ0kqPpXzW" + strconv.Itoa(n+i)
	}
	return names
}
