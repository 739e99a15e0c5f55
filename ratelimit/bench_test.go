package ratelimit

import (
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
