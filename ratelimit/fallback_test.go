package ratelimit

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// edges are limiters that know one another, each with a client of its own.
func edges(t *testing.T, n int, addr string, budget time.Duration) []*Redis {
	t.Helper()
	prefix := fmt.Sprint("edges", prefixes.Add(1))
	list := make([]*Redis, n)
	for i := range list {
		list[i] = NewRedis(clientOf(t, redisclient.Config{Addresses: policy.StringList{addr}}), RedisOptions{Prefix: prefix, Budget: budget})
		t.Cleanup(list[i].Close)
		list[i].joinFleet(list[i].fleet)
		await(t, "the edges are counted", func() bool { return list[i].fleet.size.Load() == int64(i+1) })
	}
	for _, r := range list { // as the next beat would tell
		r.fleet.size.Store(int64(n))
	}
	return list
}

// demand asks all edges at once for a time, as fast as one of each can, and returns
// how many passed.
func demand(t *testing.T, list []*Redis, check policy.LimitCheck, d time.Duration) (passed, asked int64) {
	t.Helper()
	var sum, all atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for _, r := range list {
		for range 4 {
			wg.Go(func() {
				checks, results := []policy.LimitCheck{check}, make([]policy.LimitResult, 1)
				for now := time.Now(); now.Before(end); now = time.Now() {
					if err := r.Take(t.Context(), now, checks, results); err != nil {
						t.Error(err)
						return
					}
					all.Add(1)
					if results[0].Allowed {
						sum.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	return sum.Load(), all.Load()
}

// busy keeps every processor busy until the test ends.
func busy(t *testing.T) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stop.Load() {
			}
		})
	}
	t.Cleanup(func() { stop.Store(true); wg.Wait() })
}

// A machine too busy to hear the store in time does not take it for lost, and lets
// nobody have a second quota.
func TestABusyMachineGrantsNoSecondQuota(t *testing.T) {
	_, server := oneServer(t)
	list := edges(t, 2, server.Addr, DefaultBudget)
	busy(t)
	const quota = 100
	for name, q := range map[string]policy.Quota{
		"fixed window":   fixed(quota, 24*time.Hour),
		"sliding window": sliding(quota, 24*time.Hour),
		"token bucket":   bucket(quota, 24*time.Hour, quota),
	} {
		for _, consistency := range []policy.Consistency{policy.Exact, policy.Leased} {
			passed, asked := demand(t, list, policy.LimitCheck{Name: name, Key: string(consistency), Quota: q, Cost: 1, Consistency: consistency}, 3*time.Second)
			t.Logf("%s, %s: %d of %d passed", name, consistency, passed, asked)
			if passed > quota+quota/4 {
				t.Errorf("%s, %s: %d passed of a quota of %d", name, consistency, passed, quota)
			}
		}
	}
	for _, r := range list {
		if s := r.Stats(); s.Failures > 0 {
			t.Logf("%d of %d calls failed", s.Failures, s.RoundTrips)
		}
	}
}

// A store whose every answer is late counts all the same, and what it tells counts.
func TestLateAnswersCount(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	server := testredis.Start(t)
	addr := slowProxy(t, server.Addr, &slow, 200*time.Millisecond)
	list := edges(t, 2, addr, DefaultBudget)
	passed, asked := demand(t, list, policy.LimitCheck{Name: "late", Key: "k", Quota: fixed(20, 24*time.Hour), Cost: 1}, 3*time.Second)
	t.Logf("%d of %d passed", passed, asked)
	if passed > 30 || passed == 0 {
		t.Errorf("%d passed of a quota of 20", passed)
	}
	for _, r := range list {
		if s := r.Stats(); s.OpenBreakers > 0 || s.Failures > 0 {
			t.Errorf("%d breakers are open, %d calls failed", s.OpenBreakers, s.Failures)
		}
	}
}

// However often the store comes and goes, no more than two quotas pass if it keeps
// what it knows, and one more each time it does not.
func TestAStoreThatComesAndGoes(t *testing.T) {
	const quota, kills = 400, 4
	for name, keeps := range map[string]bool{"with its counts": true, "without them": false} {
		t.Run(name, func(t *testing.T) {
			server := testredis.Start(t)
			list := edges(t, 2, server.Addr, DefaultBudget)
			check := policy.LimitCheck{Name: "flaky", Key: "k", Quota: fixed(quota, 24*time.Hour), Cost: 1}
			var passed int64
			for range kills {
				n, _ := demand(t, list, check, 300*time.Millisecond)
				passed += n
				if keeps {
					server.Pause(t)
				} else {
					server.Stop(t)
				}
				n, _ = demand(t, list, check, 1500*time.Millisecond)
				passed += n
				if keeps {
					server.Resume(t)
				} else {
					server.Start(t)
				}
			}
			n, _ := demand(t, list, check, time.Second)
			passed += n
			most := int64(2 * quota)
			if !keeps {
				most = (kills + 2) * quota
			}
			t.Logf("%d passed of a quota of %d", passed, quota)
			if passed > most || passed < quota/2 {
				t.Errorf("%d passed, want from %d to %d", passed, quota, most)
			}
		})
	}
}

// Where no store was ever heard, or the last was that all is used, an edge of many
// has a share and no more, but always one request.
func TestTheShareOfAnEdge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		q          policy.Quota
		size, used int
		cost, want int
	}{
		{fixed(100, 24*time.Hour), 1, 0, 1, 100},
		{fixed(100, 24*time.Hour), 4, 0, 1, 25},
		{fixed(100, 24*time.Hour), 4, 60, 1, 10},
		{fixed(100, 24*time.Hour), 4, 100, 1, 0},
		{fixed(100, 24*time.Hour), 3, 0, 5, 6},
		{fixed(5, 24*time.Hour), 20, 0, 1, 1},
		{fixed(5, 24*time.Hour), 20, 1, 1, 0},
		{fixed(5, 24*time.Hour), 2, 0, 6, 0},
		{bucket(10, 24*time.Hour, 100), 5, 0, 1, 20},
		{sliding(100, 24*time.Hour), 2, 50, 1, 25},
		{fixed(1<<31, 24*time.Hour), 1 << 40, 0, 1, 1},
	} {
		m := NewMemory(Options{})
		id := idOf(limitName, "k", tt.q)
		now := start.UnixNano()
		if tt.used > 0 {
			var heard counter
			heard.take(&id.quota, now, int64(tt.used))
			m.mirror(&id, heard, now, false)
			m.mirror(&id, counter{}, now, false) // one that forgot
		}
		passed := 0
		for range 200 {
			if m.takeShare(&id, int64(tt.cost), int64(tt.size), now, false).allowed {
				passed++
			}
		}
		if passed != tt.want {
			t.Errorf("%+v: %d passed", tt, passed)
		}
		for i := range m.shards {
			m.shards[i].check(t)
		}
	}
}

// What a store should never hold, or holds of others, is as good as nothing: it
// costs its key a count at most, and no other key anything.
func TestValuesThatAreNoCounts(t *testing.T) {
	t.Parallel()
	client, server := oneServer(t)
	r := NewRedis(client, RedisOptions{Prefix: "poison", Budget: patient})
	defer r.Close()
	for name, q := range map[string]policy.Quota{"fixed": fixed(3, 24*time.Hour), "sliding": sliding(3, 24*time.Hour), "bucket": bucket(3, 24*time.Hour, 3)} {
		id := idOf(limitName, name, q)
		key, _ := storeKey("poison", &id)
		ask := func() (allowed bool) {
			check := policy.LimitCheck{Name: limitName, Key: name, Quota: q, Cost: 1, OnStoreError: policy.StoreErrorDeny}
			results := make([]policy.LimitResult, 1)
			r.replica.reset(&id)
			if err := r.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, results); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return results[0].Allowed
		}
		ask()
		good := server.Do(t, "GET", key).(string)
		for what, set := range map[string][]any{
			"a list":             {"RPUSH", key, "x"},
			"three bytes":        {"SET", key, "abc"},
			"nothing":            {"SET", key, ""},
			"another quota":      {"SET", key, "\x07" + good[1:]},
			"much":               {"SET", key, string(make([]byte, 1<<20))},
			"no number":          {"SET", key, good[:9] + "\xff\xff\xff\xff\xff\xff\xff\xff" + good[17:]},
			"the far future":     {"SET", key, good[:9] + "\x00\x00\x00\x00\x00\x00\x00\x44" + good[17:]},
			"infinity":           {"SET", key, good[:9] + "\x00\x00\x00\x00\x00\x00\xf0\x7f" + good[17:]},
			"infinity, negative": {"SET", key, good[:9] + "\x00\x00\x00\x00\x00\x00\xf0\xff" + good[17:]},
			"all bits":           {"SET", key, good[:17] + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		} {
			server.Do(t, "DEL", key)
			server.Do(t, set...)
			passed := 0
			for range 10 {
				if ask() {
					passed++
				}
			}
			if passed > 3 {
				t.Errorf("%s, %s: %d passed of 3", name, what, passed)
			}
			if ttl := server.Do(t, "PTTL", key).(int64); ttl <= 0 {
				t.Errorf("%s, %s: %d ms to live, so that it would stay for ever", name, what, ttl)
			}
		}
	}
	if s := r.Stats(); s.Failures > 0 || s.OpenBreakers > 0 {
		t.Errorf("%d failures, %d breakers open", s.Failures, s.OpenBreakers)
	}
}
