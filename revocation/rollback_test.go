package revocation

import (
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// quick are times for tests that wait for what takes minutes.
var quick = times{
	retry: 20 * time.Millisecond, read: 100 * time.Millisecond, sweep: 50 * time.Millisecond,
	settle: time.Second, grace: 2 * time.Second, margin: 500 * time.Millisecond, jump: 500 * time.Millisecond,
}

// A snapshot that is older than what was told since is one that forgot it, however
// long ago that was.
func TestAnOlderSnapshotIsToldAgain(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a := node(t, at(server.Addr), Options{times: quick})
	eventually(t, "readiness", a.Ready)
	revoke(t, a, "sess_0")
	server.Do(t, "SAVE")
	revoke(t, a, "sess_1")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	server.Restart(t)
	eventually(t, "telling", func() bool { return server.Do(t, "XLEN", newKeys("clerkgate", "").log) == int64(2) })
	late := lateNode(t, at(server.Addr), Options{times: quick})
	if !refuses(late, "sess_0") || !refuses(late, "sess_1") || !refuses(a, "sess_1") {
		t.Error("forgotten with the store")
	}
	if s := a.Stats(); s.Forgot != 1 || s.Rewritten != 1 {
		t.Errorf("%+v", s)
	}
}

// The ids of what is written after the snapshot was loaded may be later than that
// which was read last.
func TestAnOlderSnapshotIsNoticedThoughOthersWroteSince(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	a := node(t, at(link.Addr), Options{times: quick})
	eventually(t, "readiness", a.Ready)
	server.Do(t, "SAVE")
	revoke(t, a, "sess_1")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	link.Cut()
	server.Restart(t)
	b := node(t, at(server.Addr), Options{times: quick})
	eventually(t, "readiness of another", b.Ready)
	revoke(t, b, "sess_2")
	link.Heal()
	eventually(t, "knowing both", func() bool {
		return refuses(a, "sess_1") && refuses(a, "sess_2") && refuses(b, "sess_1") && refuses(b, "sess_2")
	})
}

// Whoever starts on an older snapshot waits for those who know more.
func TestWhoStartsOnAnOlderSnapshotWaits(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	a := node(t, at(link.Addr), Options{})
	eventually(t, "readiness", a.Ready)
	server.Do(t, "SAVE")
	revoke(t, a, "sess_1")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	link.Cut()
	server.Restart(t)
	late := node(t, at(server.Addr), Options{})
	eventually(t, "reading", func() bool { return late.lastContact.Load() > 0 })
	if late.Ready() {
		t.Error("ready at once")
	}
	link.Heal()
	eventually(t, "readiness of a node that came late", late.Ready)
	if !refuses(late, "sess_1") {
		t.Error("ready before it was told")
	}
}

// A server that goes on with its memory makes nobody wait.
func TestWhoStartsOnAStoreThatKnowsAllIsReadyAtOnce(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	for i := range 2 {
		s := node(t, at(server.Addr), Options{})
		began := time.Now()
		eventually(t, "readiness", s.Ready)
		if took := time.Since(began); i == 1 && took > defaultTimes.settle/2 {
			t.Errorf("after %v", took)
		}
		revoke(t, s, "sess_1")
	}
}

// Where nobody is left who knows what was lost, the one who is to deny lets none
// pass that may have ended: by a token of before.
func TestWhatNobodyKnowsIsRefusedWhereThatIsSaid(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a := node(t, at(server.Addr), Options{times: quick})
	eventually(t, "readiness", a.Ready)
	server.Do(t, "SAVE")
	revoke(t, a, "sess_1")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	a.Close()
	before := time.Now()
	server.Restart(t)
	strict := node(t, at(server.Addr), Options{Deny: true, times: quick})
	eventually(t, "readiness", strict.Ready)
	for _, who := range []*policy.Principal{
		{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", IssuedAt: before},
		{TokenType: policy.M2MToken, MachineID: "mch_1", CredentialID: "mt_1", IssuedAt: before},
	} {
		if got := strict.Revoked(who, time.Now()); got != policy.ReasonClaimsStale {
			t.Errorf("%q for a token of before", got)
		}
	}
	// The store's time is in milliseconds, and this may still be the one.
	since := time.UnixMilli(strict.allStaleUntil.Load() + 1)
	who := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_2", UserID: "user_1", IssuedAt: since}
	if got := strict.Revoked(who, time.Now()); got != "" {
		t.Errorf("%q for a token made since", got)
	}
	// From then on the store knows all that is to be known.
	eventually(t, "saying so", func() bool {
		home, _ := server.Do(t, "GET", newKeys("clerkgate", "").home).(string)
		return home != "" && !strings.HasSuffix(home, " new")
	})
	late := lateNode(t, at(server.Addr), Options{Deny: true, times: quick})
	old := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", IssuedAt: before}
	if got := late.Revoked(old, time.Now()); got != policy.ReasonClaimsStale {
		t.Errorf("%q for a token of before, at another", got)
	}
	if got := late.Revoked(who, time.Now()); got != "" {
		t.Errorf("%q for a token made since, at another", got)
	}
}

// One node's settings do not make others forget.
func TestLifetimesOnOneStore(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	long := node(t, at(server.Addr), Options{})
	eventually(t, "readiness", long.Ready)
	const many = 300 // so that the stream has more than one piece to let go of
	entries := make([]Entry, many)
	for i := range entries {
		entries[i] = Ended("sess_"+string(rune('a'+i%26))+string(rune('a'+i/26)), time.Now())
	}
	if err := long.Revoke(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	short := Options{Lifetime: 100 * time.Millisecond, times: quick}
	short.times.settle = defaultTimes.settle
	brief := node(t, at(server.Addr), short)
	eventually(t, "readiness", brief.Ready)
	time.Sleep(short.Lifetime + quick.margin + 100*time.Millisecond)
	revoke(t, brief, "sess_last")
	log := newKeys("clerkgate", "").log
	if n := server.Do(t, "XLEN", log); n != int64(many+1) {
		t.Errorf("%v entries are left of %d", n, many+1)
	}
	if left, _ := server.Do(t, "PTTL", log).(int64); left < (DefaultLifetime).Milliseconds() {
		t.Errorf("the log lives for %d ms", left)
	}
	if !brief.Stats().LifetimesDiffer || long.Stats().LifetimesDiffer {
		t.Error("it is not said who names too short a lifetime")
	}
	// And so it knows what to tell, should the store forget.
	if n := brief.Len(); n != many+1 {
		t.Errorf("it knows %d of %d", n, many+1)
	}
}

// What nobody needs any more leaves the store, by the store's own time.
func TestWhatIsPastLeavesTheStore(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	steady := quick
	steady.jump = time.Minute // an answer that is late is no clock that was set
	s := node(t, at(server.Addr), Options{Lifetime: 200 * time.Millisecond, times: steady})
	eventually(t, "readiness", s.Ready)
	entries := make([]Entry, 500)
	for i := range entries {
		entries[i] = Ended("sess_"+string(rune('a'+i%26))+string(rune('a'+i/26)), time.Now())
	}
	if err := s.Revoke(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	revoke(t, s, "sess_between") // keeps the log from ending as a whole
	time.Sleep(500 * time.Millisecond)
	revoke(t, s, "sess_last")
	if n, _ := server.Do(t, "XLEN", newKeys("clerkgate", "").log).(int64); n > 102 {
		t.Errorf("%d entries are left", n)
	}
	eventually(t, "forgetting", func() bool { return s.Len() <= 2 })
	eventually(t, "the end of the log", func() bool { return server.Do(t, "EXISTS", newKeys("clerkgate", "").log) == int64(0) })
	revoke(t, s, "sess_new")
	eventually(t, "reading on", func() bool { return len(s.notStored(s.steadyNow())) == 0 })
	if got := s.Stats(); got.Forgot != 0 {
		t.Errorf("what is past was taken for forgotten: %+v", got)
	}
}

// Nothing of one instance is known to another, on one store.
func TestInstancesDoNotMeet(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	of := func(prefix, instance string) *Service {
		return node(t, at(server.Addr), Options{Prefix: prefix, Instance: instance, times: quick})
	}
	nodes := []*Service{of("", "a"), of("", "b"), of("other:clerkgate", "a"), of("", "")}
	for _, s := range nodes {
		eventually(t, "readiness", s.Ready)
	}
	if err := nodes[0].Revoke(t.Context(), Ended("sess_1", time.Now()), Entry{Kind: Everybody, Effect: Stale, At: time.Now().UnixMilli()}); err != nil {
		t.Fatal(err)
	}
	same := of("", "a")
	eventually(t, "readiness of the same instance", same.Ready)
	if !refuses(same, "sess_1") {
		t.Error("the same instance does not know")
	}
	for i, s := range nodes[1:] {
		revoke(t, s, "sess_own")
		eventually(t, "reading on", func() bool { return len(s.notStored(s.steadyNow())) == 0 })
		who := member()
		who.IssuedAt = time.Now().Add(-time.Second)
		if got := s.Revoked(who, time.Now()); got != "" || s.Len() != 1 {
			t.Errorf("node %d: %q, %d entries", i+1, got, s.Len())
		}
	}
}

// A replica that takes over may not have the last of it.
func TestAFailoverForgetsNothing(t *testing.T) {
	t.Parallel()
	pair := testredis.StartSentinel(t)
	c := redisclient.Config{Addresses: policy.StringList{pair.Sentinel.Addr}, Sentinel: &redisclient.Sentinel{Master: pair.Master}}
	a := node(t, c, Options{times: quick})
	eventually(t, "readiness", a.Ready)
	revoke(t, a, "sess_1")
	pair.Nodes[0].Do(t, "WAIT", 1, 5000)
	pair.Nodes[1].Do(t, "REPLICAOF", "NO", "ONE") // it lags behind
	revoke(t, a, "sess_2")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	pair.Nodes[0].Do(t, "REPLICAOF", "127.0.0.1", strings.Split(pair.Nodes[1].Addr, ":")[1]) // and takes over
	b := node(t, at(pair.Nodes[1].Addr), Options{times: quick})
	if b.Ready() {
		t.Error("ready at once")
	}
	eventually(t, "telling", func() bool { return refuses(b, "sess_1") && refuses(b, "sess_2") })
}
