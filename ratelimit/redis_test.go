package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// patient is a budget for tests that are not about time.
const patient = 20 * time.Second

// prefixes keep the limiters of tests on one server apart.
var prefixes atomic.Int64

// newRedis returns a limiter with keys of its own, that judges at the instants of
// Take.
func newRedis(t testing.TB, client redis.UniversalClient) *Redis {
	r := NewRedis(client, RedisOptions{Prefix: fmt.Sprint("test", prefixes.Add(1)), Budget: patient, callerTime: true})
	t.Cleanup(r.Close)
	return r
}

func clientOf(t testing.TB, config redisclient.Config) redis.UniversalClient {
	t.Helper()
	client, err := redisclient.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func oneServer(t testing.TB, args ...string) (redis.UniversalClient, *testredis.Server) {
	t.Helper()
	server := testredis.Start(t, args...)
	return clientOf(t, redisclient.Config{Addresses: policy.StringList{server.Addr}}), server
}

func TestRedisConforms(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	testLimiter(t, func(t *testing.T) policy.Limiter { return newRedis(t, client) })
}

func TestRedisClusterConforms(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t)
	client := clientOf(t, redisclient.Config{Addresses: cluster.Addrs(), Cluster: true})
	testLimiter(t, func(t *testing.T) policy.Limiter { return newRedis(t, client) })
}

// The same requests at the same instants get the same answers from memory and
// from Redis, to the nanosecond, whatever the quotas and however they change.
func TestRedisAgreesWithMemory(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		quotas := []policy.Quota{randomQuota(random), randomQuota(random)}
		memory, store := NewMemory(Options{}), newRedis(t, client)
		at := start.UnixNano()
		for i := range 150 {
			q := quotas[0]
			if i > 100 {
				q = quotas[random.IntN(2)]
			}
			at += random.Int64N(int64(q.Window)/4 + 2)
			key, cost := fmt.Sprint(random.IntN(3)), 1+random.IntN(5)
			now := time.Unix(0, at)
			want, got := take(t, memory, now, key, q, cost), take(t, store, now, key, q, cost)
			if got != want {
				t.Fatalf("round %d, request %d of cost %d at %d under %+v of %+v:\nRedis says  %+v\nmemory says %+v", round, i, cost, at, q, quotas, got, want)
			}
		}
	}
}

// randomQuota has a window so long that no key of the test expires in the time
// of the server, which is not that of the test.
func randomQuota(random *rand.Rand) policy.Quota {
	limit := 1 + random.IntN(1<<random.IntN(31))
	window := 10*time.Minute + time.Duration(random.Int64N(1<<random.IntN(52)))
	if random.IntN(2) == 0 {
		window = window.Truncate(time.Microsecond) + time.Microsecond
	}
	switch random.IntN(3) {
	case 0:
		return sliding(limit, window)
	case 1:
		return fixed(limit, window)
	default:
		return bucket(limit, window, random.IntN(1<<random.IntN(31)))
	}
}

// A cost above every number the script takes is refused all the same.
func TestRedisRefusesWhatIsAboveEveryQuota(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	r := newRedis(t, client)
	for _, q := range []policy.Quota{sliding(1<<40, time.Hour), fixed(1<<40, time.Hour), bucket(1<<40, time.Hour, 0)} {
		if take(t, r, start, string(q.Algorithm), q, 1<<41).Allowed {
			t.Errorf("%s: a cost of 2^41 passed", q.Algorithm)
		}
	}
}

// The rights that the documentation names suffice.
func TestRedisNeedsFewRights(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	server.Do(t, "ACL", "SETUSER", "gate", "on", ">hunter2", "~clerkgate:*", "-@all", "+evalsha", "+eval", "+time", "+mget", "+get", "+set", "+del")
	client := clientOf(t, redisclient.Config{Addresses: policy.StringList{server.Addr}, Username: "gate", Password: "hunter2"})
	r := NewRedis(client, RedisOptions{Budget: patient})
	defer r.Close()
	check := policy.LimitCheck{Name: limitName, Key: "k", Quota: fixed(3, 24*time.Hour), Cost: 1, OnStoreError: policy.StoreErrorDeny}
	if err := r.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, make([]policy.LimitResult, 1)); err != nil {
		t.Error(err)
	}
	if shown, err := r.Show(t.Context(), "", check); err != nil || shown.Remaining != 2 {
		t.Errorf("shown %+v, %v", shown, err)
	}
	if err := r.Reset(t.Context(), "", check); err != nil {
		t.Error(err)
	}
}
