package ratelimit

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// stranger asks for a key of their own choice, and reports whether it passed.
func stranger(t testing.TB, r policy.Limiter, now time.Time, network, key string, q policy.Quota) bool {
	t.Helper()
	checks := []policy.LimitCheck{{Name: limitName, Key: key, Quota: q, Cost: 1, Strangers: netip.MustParsePrefix(network), OnStoreError: policy.StoreErrorDeny}}
	results := make([]policy.LimitResult, 1)
	if err := r.Take(t.Context(), now, checks, results); err != nil {
		t.Fatal(err)
	}
	return results[0].Allowed
}

// named are the keys of the store that count what somebody named, beside those that
// bound them.
func named(t testing.TB, server *testredis.Server, prefix string) (keys, others int) {
	t.Helper()
	for _, key := range server.Do(t, "KEYS", prefix+":*").([]any) {
		if rest := key.(string)[strings.Index(key.(string), "}:")+2:]; strings.Contains(rest, ":") {
			others++
		} else {
			keys++
		}
	}
	return keys, others
}

func TestStrangersCannotFillTheStore(t *testing.T) {
	t.Parallel()
	client, server := oneServer(t)
	for name, q := range map[string]policy.Quota{"fixed": fixed(3, 24*time.Hour), "sliding": sliding(3, 24*time.Hour), "bucket": bucket(3, 24*time.Hour, 3)} {
		r := NewRedis(client, RedisOptions{Prefix: name, Budget: patient, NetworkKeys: 64, StrangerKeys: 320})
		defer r.Close()
		now := time.Now()
		stranger(t, r, now, "192.0.2.1/32", "first", q)
		for i := range 3000 {
			stranger(t, r, now, "192.0.2.1/32", fmt.Sprint("one", i), q)
		}
		if keys, _ := named(t, server, name); keys > 64 || keys < 48 {
			t.Errorf("%s: a network named %d keys, want no more than 64", name, keys)
		}
		if !stranger(t, r, now, "192.0.2.1/32", "first", q) || !stranger(t, r, now, "198.51.100.1/32", "first", q) || stranger(t, r, now, "192.0.2.1/32", "first", q) {
			t.Errorf("%s: a key that was there is counted as before, from any network", name)
		}
		for i := range 20 {
			if !stranger(t, r, now, "203.0.113.0/24", fmt.Sprint("another", i), q) {
				t.Errorf("%s: another network has no key of its own", name)
			}
		}
		passed := 0
		for range 10 { // counted among others now, and in its own key from elsewhere
			for _, network := range []string{"192.0.2.1/32", "198.51.100.1/32", "192.0.2.99/32"} {
				if stranger(t, r, now, network, "guessed", q) {
					passed++
				}
			}
		}
		if passed > 6 {
			t.Errorf("%s: %d passed of one key, want no more than twice the quota of 3", name, passed)
		}
		for network := range 200 {
			for i := range 10 {
				stranger(t, r, now, fmt.Sprintf("2001:db8:%x:7::/64", network), fmt.Sprint(network, "/", i), q)
			}
		}
		keys, others := named(t, server, name)
		if keys > 320 || keys < 240 || others > 16*overflowCounters+16+320+1 {
			t.Errorf("%s: strangers named %d keys, want no more than 320; and there are %d others", name, keys, others)
		}
		for i := range 500 { // who is known is nobody's to name
			if !take(t, r, now, fmt.Sprint("user_", i), q, 1).Allowed {
				t.Errorf("%s: user %d has no key", name, i)
			}
		}
		for _, key := range server.Do(t, "KEYS", name+":*").([]any) {
			if ttl := server.Do(t, "PTTL", key).(int64); ttl <= 0 || ttl > 2*24*3600*1000+1000 {
				t.Fatalf("%s: %s lives for %d ms", name, key, ttl)
			}
		}
	}
}

// Who keeps what they named alive cannot name more and more.
func TestKeysThatAreKeptAliveCount(t *testing.T) {
	t.Parallel()
	client, server := oneServer(t)
	for name, q := range map[string]policy.Quota{"fixed": fixed(1000, time.Second), "sliding": sliding(1000, time.Second), "bucket": bucket(1000, time.Second, 1000)} {
		r := NewRedis(client, RedisOptions{Prefix: name, Budget: patient, NetworkKeys: 64})
		defer r.Close()
		all := 0
		for begin := time.Now(); time.Since(begin) < 5*time.Second; {
			for i := range 40 {
				stranger(t, r, time.Now(), "192.0.2.1/32", fmt.Sprint(all+i), q)
			}
			all += 40
			for i := range all { // the latest are the first to be kept
				stranger(t, r, time.Now(), "192.0.2.1/32", fmt.Sprint(all-1-i), q)
			}
			if keys, _ := named(t, server, name); keys > 64 {
				t.Fatalf("%s: %d keys at once, want no more than 64", name, keys)
			}
		}
	}
}
