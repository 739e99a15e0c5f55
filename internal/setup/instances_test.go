package setup

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// countsOf opens the stores of an instance.
func countsOf(t *testing.T, memory *Memory, host string, redis redisclient.Config) *Stores {
	t.Helper()
	config := &Config{
		Clerk: session.Config{PublishableKey: "pk_live_" + base64.StdEncoding.EncodeToString([]byte(host+"$"))},
		Redis: Redis{Config: redis, Budget: policy.Duration(20 * time.Second)}, // the test is not about time
	}
	stores, err := OpenStores(config, memory, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stores.Close)
	return stores
}

// Whatever other instances in this process and on this Redis count, and whatever
// is reset there, an instance is told what it would be told alone.
func TestNoInstanceCountsForAnother(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	addresses := policy.StringList{testredis.Start(t).Addr}
	// Each has a memory of its own: what Redis counted is known to the memory of its
	// process, under the same instance.
	shared, beside := NewMemory(), NewMemory()
	for name, stores := range map[string][]*Stores{
		"in one process": {countsOf(t, shared, "clerk.a.example", redisclient.Config{}), countsOf(t, shared, "clerk.b.example", redisclient.Config{})},
		"on one Redis": {
			countsOf(t, beside, "clerk.a.example", redisclient.Config{Addresses: addresses}),
			countsOf(t, beside, "clerk.b.example", redisclient.Config{Addresses: addresses}),
			countsOf(t, beside, "clerk.a.example", redisclient.Config{Addresses: addresses, Prefix: "staging:"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			left := make([]map[string]int, len(stores))
			for i := range left {
				left[i] = map[string]int{}
			}
			for range 2000 {
				i, n := random.IntN(len(stores)), 1+random.IntN(40)
				check := policy.LimitCheck{
					Name: fmt.Sprint("limit-", random.IntN(2)), Key: fmt.Sprint(random.IntN(3)), Cost: 1,
					Quota: policy.Quota{Algorithm: policy.FixedWindow, Limit: n, Window: 31 * 24 * time.Hour},
				}
				id := fmt.Sprint(check.Name, check.Key, n)
				if _, seen := left[i][id]; !seen {
					left[i][id] = n
				}
				if s := stores[i]; s.Shared != nil && random.IntN(20) == 0 {
					if err := s.Shared.Reset(t.Context(), s.Instance, check); err != nil {
						t.Fatal(err)
					}
					left[i][id] = n
				}
				results := make([]policy.LimitResult, 1)
				if err := stores[i].Limiter.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, results); err != nil {
					t.Fatal(err)
				}
				want := left[i][id] > 0
				if want {
					left[i][id]--
				}
				if got := results[0]; got.Allowed != want || got.Remaining != left[i][id] {
					t.Fatalf("instance %d, %s: allowed %v with %d left, want %v and %d", i, id, got.Allowed, got.Remaining, want, left[i][id])
				}
			}
		})
	}
}
