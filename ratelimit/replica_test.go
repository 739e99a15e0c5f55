package ratelimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

func TestARefusalIsRememberedUntilItEnds(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	r := newRedis(t, client)
	q := fixed(2, 4*time.Second)
	take(t, r, start, "k", q, 2)
	take(t, r, start, "k", q, 1)
	trips := r.Stats().RoundTrips
	for i := range 1000 {
		at := time.Duration(i) * 4 * time.Millisecond
		got := take(t, r, start.Add(at), "k", q, 1)
		want := policy.LimitResult{Name: limitName, Limit: 2, Window: q.Window, Reset: q.Window - at, RetryAfter: q.Window - at}
		if got != want {
			t.Fatalf("after %v: %s", at, cmp.Diff(want, got))
		}
	}
	if got := r.Stats().RoundTrips - trips; got != 0 {
		t.Errorf("%d round trips for what was known", got)
	}
	if !take(t, r, start.Add(4*time.Second), "k", q, 1).Allowed {
		t.Error("refused when the window was over")
	}
}

func TestARefusalIsNotRememberedForAnotherQuota(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	r := newRedis(t, client)
	take(t, r, start, "k", fixed(2, time.Hour), 2)
	if take(t, r, start, "k", fixed(2, time.Hour), 1).Allowed {
		t.Fatal("more passed than the limit")
	}
	if got := take(t, r, start, "k", fixed(10, time.Hour), 1); !got.Allowed || got.Remaining != 9 {
		t.Errorf("after a better plan: %+v", got)
	}
}

// Keys are refused all over a fleet as soon as each node has heard of it, and let
// back in by a reset, which all have heard of after five seconds.
func TestAResetLetsSomebodyBackIn(t *testing.T) {
	t.Parallel()
	_, server := oneServer(t)
	q := sliding(3, 24*time.Hour)
	nodes := newFleet(t, 2, server)
	check := policy.LimitCheck{Name: limitName, Key: "k", Quota: q, Cost: 1}
	for _, n := range nodes {
		for range 3 {
			take(t, n, start, "k", q, 1)
		}
	}
	// Show asks at the time of now, which is in another window.
	shown, err := nodes[0].Show(t.Context(), "", check)
	if err != nil || !shown.Allowed || shown.Limit != 3 || shown.Name != limitName {
		t.Errorf("shown %+v, %v", shown, err)
	}
	if err := nodes[0].Reset(t.Context(), "", check); err != nil {
		t.Fatal(err)
	}
	if take(t, nodes[1], start.Add(4*time.Second), "k", q, 1).Allowed {
		t.Error("the other node heard of the reset without asking")
	}
	if got := take(t, nodes[0], start, "k", q, 1); !got.Allowed || got.Remaining != 2 {
		t.Errorf("after the reset: %+v", got)
	}
	if got := take(t, nodes[1], start.Add(5*time.Second), "k", q, 1); !got.Allowed || got.Remaining != 1 {
		t.Errorf("at the other node: %+v", got)
	}
}

func TestShowCountsNothing(t *testing.T) {
	t.Parallel()
	client, server := oneServer(t)
	for name, q := range map[string]policy.Quota{
		"sliding": sliding(5, 24*time.Hour), "fixed": fixed(5, 24*time.Hour), "bucket": bucket(5, 24*time.Hour, 5),
	} {
		r := NewRedis(client, RedisOptions{Prefix: name, Budget: patient})
		defer r.Close()
		check := policy.LimitCheck{Name: limitName, Key: "k", Quota: q, Cost: 1}
		for want := 5; want >= 0; want-- {
			for range 2 {
				got, err := r.Show(t.Context(), "", check)
				if err != nil || got.Remaining != want || got.Allowed != (want > 0) || (got.RetryAfter == 0) != got.Allowed {
					t.Errorf("%s: shown %+v, %v; want %d remaining", name, got, err, want)
				}
			}
			take(t, r, time.Now(), "k", q, 1)
		}
	}
	server.Stop(t)
	r := NewRedis(client, RedisOptions{Budget: tight})
	defer r.Close()
	check := policy.LimitCheck{Name: limitName, Key: "secret-key", Quota: sliding(5, time.Hour), Cost: 1}
	_, showErr := r.Show(t.Context(), "", check)
	resetErr := r.Reset(t.Context(), "", check)
	check.Quota.Algorithm = "none"
	_, err := r.Show(t.Context(), "", check)
	for _, err := range []error{showErr, resetErr, err, r.Reset(t.Context(), "", check)} {
		if err == nil || strings.Contains(err.Error(), "secret-key") {
			t.Errorf("error %v, want one without the key", err)
		}
	}
}

func TestKeysInTheStore(t *testing.T) {
	t.Parallel()
	client, server := oneServer(t)
	r := newRedis(t, client)
	var ids []id
	for _, parts := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"", "abc"}, {"a", ""}, {"a", strings.Repeat("x", 10_000)}, {"a}{b", "*\r\n"}} {
		ids = append(ids, idOf(parts[0], parts[1], sliding(5, time.Minute)))
	}
	seen := map[string]bool{}
	for _, id := range ids {
		key, bucket := storeKey("p", &id)
		if len(key) > 40 || !strings.HasPrefix(key, "p:limit:{"+tags[bucket]+"}:") || seen[key] {
			t.Errorf("%.20q of %q is counted at %q", id.key, id.name, key)
		}
		seen[key] = true
		checks := []policy.LimitCheck{{Name: id.name, Key: id.key, Quota: sliding(5, time.Minute), Cost: 1}}
		if err := r.Take(t.Context(), start, checks, make([]policy.LimitResult, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.Do(t, "DBSIZE"); n != int64(len(ids)) {
		t.Errorf("%v keys for %d", n, len(ids))
	}
	for _, key := range server.Do(t, "KEYS", "*").([]any) {
		if ttl := server.Do(t, "PTTL", key).(int64); ttl < 1000 || ttl > 121_000 {
			t.Errorf("%s expires in %d ms, want after two windows", key, ttl)
		}
	}
}

// The tags lie so that nodes of any number get the same share.
func TestTagsLieEvenlyInTheSlots(t *testing.T) {
	t.Parallel()
	server := testredis.StartNode(t)
	for i, tag := range tags {
		slot := server.Do(t, "CLUSTER", "KEYSLOT", "{"+tag+"}").(int64)
		if int(slot)/(16384/len(tags)) != i {
			t.Errorf("tag %s is in slot %d, want it in part %d of %d", tag, slot, i, len(tags))
		}
	}
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	r := NewRedis(client, RedisOptions{Prefix: "bounded", Budget: patient, MaxKeys: 640, callerTime: true})
	defer r.Close()
	q := fixed(1, time.Hour)
	checks := make([]policy.LimitCheck, 100)
	results := make([]policy.LimitResult, len(checks))
	for round := range 200 {
		for i := range checks {
			checks[i] = policy.LimitCheck{Name: fmt.Sprint("limit", round*100+i), Key: fmt.Sprint(round, i), Quota: q, Cost: 2}
		}
		if err := r.Take(t.Context(), start, checks, results); err != nil {
			t.Fatal(err)
		}
	}
	facts, limits := 0, 0
	for i := range r.replica.shards {
		facts += len(r.replica.shards[i].keys)
		limits = max(limits, len(r.replica.shards[i].limits))
	}
	if facts > 640 || facts < 320 {
		t.Errorf("%d keys are known, want no more than 640", facts)
	}
	if limits > maxLimits+1 {
		t.Errorf("%d limits are counted apart", limits)
	}
}

// All limits of a request go in one round trip, on one server.
func TestLimitsOfARequestGoTogether(t *testing.T) {
	t.Parallel()
	client, _ := oneServer(t)
	r := newRedis(t, client)
	checks := make([]policy.LimitCheck, 5)
	for i := range checks {
		checks[i] = policy.LimitCheck{Name: fmt.Sprint("limit", i), Key: "k", Quota: sliding(i+1, time.Minute), Cost: 1}
	}
	results := make([]policy.LimitResult, len(checks))
	if err := r.Take(t.Context(), start, checks, results); err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if !results[i].Allowed || results[i].Remaining != i || results[i].Name != checks[i].Name {
			t.Errorf("limit %d: %+v", i, results[i])
		}
	}
	if s := r.Stats(); s.RoundTrips != 1 || s.Requests != 5 {
		t.Errorf("%d requests in %d round trips, want 5 in 1", s.Requests, s.RoundTrips)
	}
}

func TestChecksThatMakeNoSenseAreNotCounted(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	client := clientOf(t, redisclient.Config{Addresses: policy.StringList{server.Addr}})
	r := newRedis(t, client)
	checks := []policy.LimitCheck{
		{Name: "good", Key: "k", Quota: sliding(1, time.Minute), Cost: 1},
		{Name: "bad", Key: "k", Quota: sliding(1, time.Minute)},
	}
	results := []policy.LimitResult{{Allowed: true}, {Allowed: true}}
	if err := r.Take(t.Context(), start, checks, results); err == nil || results[0].Allowed || results[1].Allowed {
		t.Errorf("error %v, results %+v", err, results)
	}
	if err := r.Take(t.Context(), start, checks[:1], results); err == nil {
		t.Error("room for two results was enough for one check")
	}
	if n := server.Do(t, "DBSIZE"); n != int64(0) {
		t.Errorf("%v keys were written", n)
	}
}
