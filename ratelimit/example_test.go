package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// Three requests a minute for each user.
func ExampleMemory() {
	limiter := ratelimit.NewMemory(ratelimit.Options{})
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	checks := []policy.LimitCheck{{
		Name: "per-user", Key: "user_1", Cost: 1,
		Quota: policy.Quota{Algorithm: policy.FixedWindow, Limit: 3, Window: time.Minute},
	}}
	for range 4 {
		results := make([]policy.LimitResult, len(checks))
		if err := limiter.Take(context.Background(), now, checks, results); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(results[0].Allowed, results[0].Remaining, results[0].RetryAfter)
	}
	// Output:
	// true 2 0s
	// true 1 0s
	// true 0 1m0s
	// false 0 1m0s
}
