package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// node is one instance of a fleet.
type node struct {
	*Redis
}

// take asks for one answer under a leased limit.
func (n node) take(t testing.TB, at int64, key string, q policy.Quota, cost int) policy.LimitResult {
	t.Helper()
	checks := []policy.LimitCheck{{Name: limitName, Key: key, Quota: q, Cost: cost, Consistency: policy.Leased, OnStoreError: policy.StoreErrorDeny}}
	results := make([]policy.LimitResult, 1)
	if err := n.Take(t.Context(), time.Unix(0, at), checks, results); err != nil {
		t.Error(err)
	}
	return results[0]
}

// newFleet returns nodes that share one store and one prefix, each with a client
// of its own.
func newFleet(t testing.TB, n int, server *testredis.Server) []node {
	prefix := fmt.Sprint("fleet", prefixes.Add(1))
	nodes := make([]node, n)
	for i := range nodes {
		client := clientOf(t, redisclient.Config{Addresses: policy.StringList{server.Addr}})
		nodes[i].Redis = NewRedis(client, RedisOptions{Prefix: prefix, Budget: patient, callerTime: true})
		t.Cleanup(nodes[i].Close)
	}
	return nodes
}

// Eight nodes serve hot and cold keys, all at once, over three windows. In no
// window does more pass than the limit, and demand that is under it is met.
func TestLeasesNeverExceedTheLimit(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	for name, q := range map[string]policy.Quota{
		"fixed window":   fixed(1000, 10*time.Second),
		"sliding window": sliding(1000, 10*time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			nodes := newFleet(t, 8, server)
			keys := []string{"hot", "hotter", "cold"}
			demand := map[string]int{"hot": 300, "hotter": 600, "cold": 10} // of each node in each window
			for w := range 3 {
				passed := map[string]*atomic.Int64{"hot": {}, "hotter": {}, "cold": {}}
				begin := start.UnixNano() + int64(w)*int64(q.Window)
				var wg sync.WaitGroup
				for i, n := range nodes {
					wg.Go(func() {
						random := rand.New(rand.NewPCG(uint64(w), uint64(i)))
						for step := range 600 {
							at := begin + int64(step)*int64(q.Window)/600
							for _, key := range keys {
								if random.IntN(600) < demand[key] && n.take(t, at, key, q, 1).Allowed {
									passed[key].Add(1)
								}
							}
						}
					})
				}
				wg.Wait() // a window ends for all at once
				for key, n := range passed {
					if got := n.Load(); got > int64(q.Limit) {
						t.Errorf("window %d, key %s: %d passed, want no more than %d", w, key, got, q.Limit)
					}
				}
				if got := passed["hotter"].Load(); q.Algorithm == policy.FixedWindow && got < 9*int64(q.Limit)/10 {
					t.Errorf("window %d: of 4800 for a limit of 1000, only %d passed", w, got)
				}
				if got := passed["cold"].Load(); got < 40 {
					t.Errorf("window %d: only %d of about 80 passed under a limit of 1000", w, got)
				}
			}
			var checked, trips uint64
			for _, n := range nodes {
				stats := n.Stats()
				l := stats.Limits[limitName]
				if l.Checked != l.Local+l.Answered+l.StoreErrors {
					t.Errorf("checks are not all answered once: %+v", l)
				}
				checked += l.Checked
				trips += stats.Requests
			}
			t.Logf("%d checks, %d of them in the store", checked, trips)
			// A sliding window that is used up frees its quota one by one.
			if q.Algorithm == policy.FixedWindow && trips > checked/2 {
				t.Errorf("%d of %d checks went to the store, want less than half", trips, checked)
			}
		})
	}
}

// In no interval does a leased bucket let more pass than a bucket does.
func TestLeasesOfBucketsKeepTheBound(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	q := bucket(100, 10*time.Second, 400)
	period := int64(100 * time.Millisecond)
	nodes := newFleet(t, 8, server)
	random := rand.New(rand.NewPCG(5, 6))
	var passed []int64
	at := start.UnixNano()
	for range 12_000 {
		if at += random.Int64N(int64(10 * time.Millisecond)); random.IntN(500) == 0 {
			at += int64(20 * time.Second)
		}
		if nodes[random.IntN(len(nodes))].take(t, at, "k", q, 1).Allowed {
			passed = append(passed, at)
		}
	}
	for i := range passed {
		for j := i; j < len(passed); j++ {
			if most := 400 + (passed[j]-passed[i])/period; int64(j-i+1) > most {
				t.Fatalf("%d passed within %v, want no more than %d", j-i+1, time.Duration(passed[j]-passed[i]), most)
			}
		}
	}
	if len(passed) < 400 {
		t.Errorf("only %d passed", len(passed))
	}
}

func TestSlicesAreGivenBackAndTakenByOthers(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	nodes := newFleet(t, 2, server)
	q := fixed(1000, time.Hour)
	now := start.UnixNano()
	for range 200 { // busy enough that slices are large
		now += int64(time.Millisecond)
		nodes[0].take(t, now, "k", q, 1)
	}
	held := nodes[0].replica.shard(at(idOf(limitName, "k", q))).keys[idOf(limitName, "k", q)].slice.left
	if held == 0 {
		t.Fatal("the node holds no slice")
	}
	now += int64(time.Minute)
	nodes[0].refundToStore(nodes[0].replica.trim(now, false))
	if got := nodes[0].Stats().Limits[limitName].Returned; got != uint64(held) {
		t.Errorf("%d were given back, want %d", got, held)
	}
	if got := nodes[1].take(t, now, "k", q, 800).Allowed; !got {
		t.Error("what was given back is not there for the other node")
	}
	if got := nodes[1].take(t, now, "k", q, 1).Allowed; got {
		t.Error("more was given back than there was")
	}
}

// A slice that is given back late must not count against the next window.
func TestWhatIsGivenBackLateIsLost(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	n := newFleet(t, 1, server)[0]
	q := fixed(10, time.Hour)
	now := start.UnixNano()
	n.take(t, now, "k", q, 6)
	old := n.replica.shard(at(idOf(limitName, "k", q))).keys[idOf(limitName, "k", q)].slice.start
	now += int64(time.Hour)
	n.take(t, now, "k", q, 10)
	n.refundToStore([]refund{{id: idOf(limitName, "k", q), amount: 6, start: old, at: now}})
	now += int64(time.Minute)
	if n.take(t, now, "k", q, 1).Allowed {
		t.Error("a window was given what another had counted")
	}
}

// The first check of a key costs what it costs, so that keys that are seen once
// hold nothing.
func TestColdKeysHoldNothing(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	n := newFleet(t, 1, server)[0]
	for i := range 100 {
		n.take(t, start.UnixNano(), fmt.Sprint(i), fixed(1000, time.Hour), 1)
	}
	if got := n.Stats().Limits[limitName].Leases; got != 0 {
		t.Errorf("%d slices were taken, want none", got)
	}
}
