package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// tight is the budget of the tests of faults, and far below the timeouts of the
// client, which end a call that no budget ends.
const tight = 50 * time.Millisecond

// await waits until something is so, while traffic flows.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patient)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patient)
		}
	}
}

// traffic asks a limiter from several goroutines until it is stopped.
type traffic struct {
	r       *Redis
	stopped chan struct{}
	wg      sync.WaitGroup
	asked   atomic.Int64
	late    atomic.Int64
	errs    atomic.Int64
}

func startTraffic(r *Redis) *traffic {
	tr := &traffic{r: r, stopped: make(chan struct{})}
	for i := range 8 {
		tr.wg.Go(func() { tr.flow(i) })
	}
	return tr
}

// flow asks for three limits at once, none of which may fail.
func (tr *traffic) flow(i int) {
	checks := []policy.LimitCheck{
		{Name: "local", Quota: sliding(1_000_000, time.Minute), Cost: 1},
		{Name: "allow", Quota: bucket(1_000_000, time.Minute, 0), Cost: 1, OnStoreError: policy.StoreErrorAllow},
		{Name: "leased", Quota: fixed(1_000_000, time.Minute), Cost: 1, Consistency: policy.Leased},
	}
	results := make([]policy.LimitResult, len(checks))
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-tr.stopped:
			return
		case <-ticker.C:
		}
		for j := range checks {
			checks[j].Key = fmt.Sprint((n + i + j) % 40)
		}
		begin := time.Now()
		if err := tr.r.Take(context.Background(), begin, checks, results); err != nil || !results[0].Allowed || !results[1].Allowed || !results[2].Allowed {
			tr.errs.Add(1)
		}
		// The client's own timeouts are a second: whoever waits for them is late.
		if time.Since(begin) > tight+900*time.Millisecond {
			tr.late.Add(1)
		}
		tr.asked.Add(1)
	}
}

// stop ends the traffic and judges it.
func (tr *traffic) stop(t *testing.T) {
	t.Helper()
	close(tr.stopped)
	tr.wg.Wait()
	if n := tr.errs.Load(); n > 0 {
		t.Errorf("%d of %d requests were refused or failed", n, tr.asked.Load())
	}
	// One stall of a busy machine can hold up all eight.
	if n := tr.late.Load(); n > 8 {
		t.Errorf("%d of %d requests waited far longer than the budget of %v", n, tr.asked.Load(), tight)
	}
}

// fault breaks a store and repairs it.
type fault struct {
	config func(t *testing.T) (redisclient.Config, *testredis.Server)
	strike func(t *testing.T, s *testredis.Server)
	repair func(t *testing.T, s *testredis.Server)
}

func ownServer(t *testing.T) (redisclient.Config, *testredis.Server) {
	s := testredis.Start(t)
	return redisclient.Config{Addresses: policy.StringList{s.Addr}}, s
}

func TestFaultsOfTheStore(t *testing.T) {
	redis.SetLogger(&logging.VoidLogger{}) // it says that nobody listens, again and again
	var slow atomic.Bool
	for name, f := range map[string]fault{
		"stopped": {ownServer,
			func(t *testing.T, s *testredis.Server) { s.Stop(t) },
			func(t *testing.T, s *testredis.Server) { s.Start(t) }},
		"frozen": {ownServer,
			func(t *testing.T, s *testredis.Server) { s.Pause(t) },
			func(t *testing.T, s *testredis.Server) { s.Resume(t) }},
		"out of memory": {ownServer,
			func(t *testing.T, s *testredis.Server) { s.Do(t, "CONFIG", "SET", "maxmemory", "1") },
			func(t *testing.T, s *testredis.Server) { s.Do(t, "CONFIG", "SET", "maxmemory", "0") }},
		"read only, after a failover": {ownServer,
			func(t *testing.T, s *testredis.Server) { s.Do(t, "REPLICAOF", "127.0.0.1", "1") },
			func(t *testing.T, s *testredis.Server) { s.Do(t, "REPLICAOF", "NO", "ONE") }},
		"slow": {func(t *testing.T) (redisclient.Config, *testredis.Server) {
			s := testredis.Start(t)
			return redisclient.Config{Addresses: policy.StringList{slowProxy(t, s.Addr, &slow, storeTimeout+4*tight)}}, s
		},
			func(*testing.T, *testredis.Server) { slow.Store(true) },
			func(*testing.T, *testredis.Server) { slow.Store(false) }},
	} {
		t.Run(name, func(t *testing.T) { f.test(t) })
	}
}

func (f *fault) test(t *testing.T) {
	config, server := f.config(t)
	before := runtime.NumGoroutine()
	client := clientOf(t, config)
	r := NewRedis(client, RedisOptions{Budget: tight})
	tr := startTraffic(r)
	await(t, "the store counts", func() bool { return r.Stats().Requests > 50 })

	f.strike(t, server)
	await(t, "the breaker opens", func() bool { return r.Stats().OpenBreakers > 0 })
	asked := tr.asked.Load()
	await(t, "traffic flows on", func() bool { return tr.asked.Load() > asked+500 })
	verifyWithoutStore(t, r)

	f.repair(t, server)
	await(t, "the breaker closes", func() bool { return r.Stats().OpenBreakers == 0 })
	verifyExact(t, r)
	tr.stop(t)
	r.Close()
	client.Close()
	await(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// verifyWithoutStore holds each limit to what it wants while there is no store.
func verifyWithoutStore(t *testing.T, r *Redis) {
	t.Helper()
	if r.Stats().OpenBreakers == 0 {
		t.Error("the breaker closed by itself")
	}
	trips := r.Stats().RoundTrips
	allowed := map[policy.StoreErrorPolicy]int{}
	for range 10 {
		for _, on := range []policy.StoreErrorPolicy{policy.StoreErrorLocal, policy.StoreErrorAllow, policy.StoreErrorDeny} {
			check := policy.LimitCheck{Name: "three", Key: string(on), Quota: fixed(3, time.Hour), Cost: 1, OnStoreError: on}
			results := make([]policy.LimitResult, 1)
			err := r.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, results)
			if results[0].Allowed {
				allowed[on]++
			}
			if denies := on == policy.StoreErrorDeny; denies != errors.Is(err, ErrStore) {
				t.Errorf("%s: error %v", on, err)
			}
		}
	}
	if allowed[policy.StoreErrorLocal] != 3 || allowed[policy.StoreErrorAllow] != 10 || allowed[policy.StoreErrorDeny] != 0 {
		t.Errorf("passed by policy: %v, want 3 of local, 10 of allow, 0 of deny", allowed)
	}
	if got, want := r.Stats().Limits["three"], (LimitStats{Checked: 30, Refused: 17, StoreErrors: 30}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if probes := r.Stats().RoundTrips - trips; probes > 20 {
		t.Errorf("%d calls to the store behind an open breaker", probes)
	}
}

// verifyExact holds that the store counts again. On a busy machine some calls
// may still run into the budget; then another key is tried.
func verifyExact(t *testing.T, r *Redis) {
	t.Helper()
	tries := 0
	await(t, "the store counts as before", func() bool {
		tries++
		for i := range 5 {
			check := policy.LimitCheck{Name: "after", Key: fmt.Sprint(tries), Quota: fixed(3, 24*time.Hour), Cost: 1, OnStoreError: policy.StoreErrorDeny}
			results := make([]policy.LimitResult, 1)
			if err := r.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, results); err != nil {
				return false
			}
			if results[0].Allowed != (i < 3) {
				t.Errorf("request %d after the repair: allowed %t", i, results[0].Allowed)
			}
		}
		return true
	})
}

// slowProxy passes everything on, and while slow is set only after a while.
func slowProxy(t *testing.T, to string, slow *atomic.Bool, after time.Duration) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			go func() {
				defer server.Close()
				io.Copy(server, from) // until one of them closes
			}()
			go func() {
				defer from.Close()
				defer server.Close()
				for buf := make([]byte, 1<<16); ; {
					n, err := server.Read(buf)
					if slow.Load() {
						<-time.After(after)
					}
					if _, writeErr := from.Write(buf[:n]); err != nil || writeErr != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// A server that was started again knows neither script nor counts.
func TestARestartedStoreIsTaughtAgain(t *testing.T) {
	client, server := oneServer(t)
	r := NewRedis(client, RedisOptions{Budget: tight})
	defer r.Close()
	tr := startTraffic(r)
	await(t, "the store counts", func() bool { return r.Stats().Requests > 50 })
	server.Restart(t)
	await(t, "the store counts again", func() bool {
		return r.Stats().OpenBreakers == 0 && server.Do(t, "DBSIZE").(int64) > 40
	})
	server.Do(t, "SCRIPT", "FLUSH")
	verifyExact(t, r)
	tr.stop(t)
}

func TestAFailoverIsFollowed(t *testing.T) {
	s := testredis.StartSentinel(t)
	r := NewRedis(clientOf(t, redisclient.Config{
		Addresses: policy.StringList{s.Sentinel.Addr}, Sentinel: &redisclient.Sentinel{Master: s.Master},
	}), RedisOptions{Budget: tight})
	defer r.Close()
	tr := startTraffic(r)
	await(t, "the store counts", func() bool { return r.Stats().Requests > 50 })
	s.Failover(t)
	await(t, "the new master counts", func() bool {
		known := s.Nodes[1].Do(t, "SCRIPT", "EXISTS", takeHash).([]any)
		return r.Stats().OpenBreakers == 0 && known[0] == int64(1)
	})
	verifyExact(t, r)
	tr.stop(t)
}

// A slot moves to another node while its keys are counted.
func TestAMovingSlotLosesNoCount(t *testing.T) {
	cluster := testredis.StartCluster(t)
	client := clientOf(t, redisclient.Config{Addresses: cluster.Addrs(), Cluster: true})
	r := NewRedis(client, RedisOptions{Budget: patient})
	defer r.Close()
	tr := startTraffic(r)
	count := func(want int) {
		t.Helper()
		if got := take(t, r, time.Now(), "k", fixed(100, 24*time.Hour), 1); got.Remaining != want {
			t.Errorf("%d remain, want %d", got.Remaining, want)
		}
	}
	count(99)
	key, _ := storeKey(DefaultPrefix, at(idOf(limitName, "k", fixed(100, 24*time.Hour))))
	slot, from := cluster.Slot(t, key)
	to := (from + 1) % len(cluster.Nodes)
	cluster.StartMove(t, slot, from, to)
	count(98)
	asked := tr.asked.Load()
	await(t, "traffic flows while the slot moves", func() bool { return tr.asked.Load() > asked+200 })
	cluster.FinishMove(t, slot, from, to)
	count(97)
	if s := r.Stats(); s.OpenBreakers > 0 || s.Limits[limitName].StoreErrors > 0 {
		t.Errorf("the move cost %d checks and %d breakers", s.Limits[limitName].StoreErrors, s.OpenBreakers)
	}
	tr.stop(t)
}

// Where one node of a cluster is gone, the others are asked on.
func TestBreakersOfAClusterAreApart(t *testing.T) {
	cluster := testredis.StartCluster(t, "--cluster-require-full-coverage", "no")
	client := clientOf(t, redisclient.Config{Addresses: cluster.Addrs(), Cluster: true})
	r := NewRedis(client, RedisOptions{Budget: tight})
	defer r.Close()
	tr := startTraffic(r)
	await(t, "the store counts", func() bool { return r.Stats().Requests > 200 })
	cluster.Nodes[2].Stop(t)
	await(t, "breakers open", func() bool { return r.Stats().OpenBreakers >= 5 })
	if s := r.Stats(); s.Breakers != len(tags) || s.OpenBreakers > 6 {
		t.Errorf("%d of %d breakers are open, want a third", s.OpenBreakers, s.Breakers)
	}
	cluster.Nodes[2].Start(t)
	tr.stop(t)
}
