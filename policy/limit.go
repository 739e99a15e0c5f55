package policy

import (
	"context"
	"time"
)

// Algorithm is a rate-limiting algorithm.
type Algorithm string

// The algorithms.
const (
	// SlidingWindow weighs the count of the window before by how much of it
	// still lies inside the last Window.
	SlidingWindow Algorithm = "sliding_window"
	// TokenBucket refills continuously at Limit per Window and holds Burst.
	TokenBucket Algorithm = "token_bucket"
)

// Quota is a limit in force for one key: the algorithm and its numbers.
type Quota struct {
	Algorithm Algorithm
	// Limit is requests per Window.
	Limit  int
	Window time.Duration
	// Burst is how many requests a full bucket holds (TokenBucket).
	Burst int
}

// LimitCheck asks a limiter to count one request against one key.
type LimitCheck struct {
	// Name is the limit's name in the policy. Keys of different names never
	// meet.
	Name string
	// Key is what is counted. It is unambiguous and of bounded length, whatever
	// text clients chose to send.
	Key   string
	Quota Quota
	// Cost is how many requests this one counts for; at least 1.
	Cost int
}

// Limiter counts requests. Implementations are safe for concurrent use and
// bounded in memory.
type Limiter interface {
	// Take counts each check as of now and writes its answer to the result of
	// the same index; len(results) equals len(checks). A refused check is not
	// counted. A limiter that cannot tell returns an error, which refuses.
	Take(ctx context.Context, now time.Time, checks []LimitCheck, results []LimitResult) error
}
