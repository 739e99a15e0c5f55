package policy

import (
	"context"
	"net/netip"
	"time"
)

// Algorithm is a rate-limiting algorithm.
type Algorithm string

// The algorithms.
const (
	// SlidingWindow weighs the count of the window before by how much of it
	// still lies inside the last Window.
	SlidingWindow Algorithm = "sliding_window"
	// FixedWindow counts in windows of length Window, each apart.
	FixedWindow Algorithm = "fixed_window"
	// TokenBucket refills continuously at Limit per Window and has room for Burst.
	TokenBucket Algorithm = "token_bucket"
)

// Consistency says how closely the instances of a fleet keep to one count.
type Consistency string

// The consistencies.
const (
	// Exact asks the shared store for every request. It is the default.
	Exact Consistency = "exact"
	// Leased lets an instance take a slice of the quota from the store and spend
	// it alone. Never more is allowed than with Exact, and at times less.
	Leased Consistency = "leased"
)

// StoreErrorPolicy says what decides while the shared store does not answer.
type StoreErrorPolicy string

// The policies.
const (
	// StoreErrorLocal has each instance count for itself. It is the default.
	StoreErrorLocal StoreErrorPolicy = "local"
	// StoreErrorAllow allows requests uncounted.
	StoreErrorAllow StoreErrorPolicy = "allow"
	// StoreErrorDeny denies, with an error of the limiter.
	StoreErrorDeny StoreErrorPolicy = "deny"
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
	// Name is the limit's name in the policy. Keys of different names are counted
	// apart.
	Name string
	// Definition tells limits of one name apart that say different things: what
	// they count is counted apart. It is a hash, the same for each limit that says
	// the same, on every instance and after every reload.
	Definition uint64
	// Key is what is counted. It is unambiguous and of bounded length, whatever
	// text clients chose to send.
	Key   string
	Quota Quota
	// Strangers is the client's network where strangers can name keys as they like:
	// by a header, a path or an address. A store bounds how many a network names.
	// The zero prefix: only who signed in can name another key.
	Strangers netip.Prefix
	// Cost is how many requests this one counts for; at least 1.
	Cost int
	// Consistency and OnStoreError matter where instances share a store. Empty
	// is Exact and StoreErrorLocal.
	Consistency  Consistency
	OnStoreError StoreErrorPolicy
}

// Limiter counts requests. Implementations are safe for concurrent use and
// bounded in memory.
type Limiter interface {
	// Take counts each check as of now and writes its answer to the result of
	// the same index; len(results) equals len(checks). A refused check is not
	// counted. A limiter that cannot decide returns an error, which denies.
	Take(ctx context.Context, now time.Time, checks []LimitCheck, results []LimitResult) error
}
