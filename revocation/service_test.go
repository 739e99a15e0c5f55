package revocation

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// patience is how long a test waits for what takes a second.
const patience = 20 * time.Second

// node starts a service over a Redis of that configuration.
func node(t *testing.T, c redisclient.Config, o Options) *Service {
	t.Helper()
	client, err := redisclient.New(c)
	if err != nil {
		t.Fatal(err)
	}
	o.Redis = client
	s := New(o)
	s.Start(t.Context())
	t.Cleanup(func() {
		s.Close()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lateNode is a node that comes when there is something to know, once it is ready.
func lateNode(t *testing.T, c redisclient.Config, o Options) *Service {
	t.Helper()
	s := node(t, c, o)
	eventually(t, "readiness of a node that came late", s.Ready)
	return s
}

func at(address string) redisclient.Config {
	return redisclient.Config{Addresses: policy.StringList{address}}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s does not come about", what)
		}
	}
}

// refuses reports whether a session made now does not count at a node.
func refuses(s *Service, session string) bool {
	who := &policy.Principal{TokenType: policy.SessionToken, SessionID: session, UserID: "user_1", IssuedAt: time.Now()}
	return s.Revoked(who, time.Now()) == policy.ReasonSessionRevoked
}

func revoke(t *testing.T, s *Service, session string) {
	t.Helper()
	if err := s.RevokeSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAStoreThisProcessKnows(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	s.Start(t.Context())
	defer s.Close()
	revoke(t, s, "sess_1")
	if !s.Ready() || !refuses(s, "sess_1") || refuses(s, "sess_2") {
		t.Errorf("ready %t, refuses %t and %t", s.Ready(), refuses(s, "sess_1"), refuses(s, "sess_2"))
	}
	if err := s.RevokeSession(t.Context(), "no id"); err == nil {
		t.Error("revokes what is no session")
	}
}

func TestNodesLearnFromEachOther(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(*testing.T) redisclient.Config{
		"one server": func(t *testing.T) redisclient.Config { return at(testredis.Start(t).Addr) },
		"a cluster": func(t *testing.T) redisclient.Config {
			return redisclient.Config{Addresses: testredis.StartCluster(t).Addrs(), Cluster: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			a, b := node(t, c, Options{}), node(t, c, Options{})
			eventually(t, "readiness", func() bool { return a.Ready() && b.Ready() })
			revoke(t, a, "sess_a")
			revoke(t, b, "sess_b")
			for _, s := range []*Service{a, b} {
				eventually(t, "knowing both", func() bool { return refuses(s, "sess_a") && refuses(s, "sess_b") })
			}
			late := lateNode(t, c, Options{})
			if !refuses(late, "sess_a") || !refuses(late, "sess_b") {
				t.Error("a node was ready before it knew")
			}
		})
	}
}

// A store that comes back empty is told again what it knew, by whoever knows.
func TestAStoreThatForgotIsToldAgain(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a := node(t, at(server.Addr), Options{})
	eventually(t, "readiness", a.Ready)
	revoke(t, a, "sess_1")
	server.Restart(t)
	eventually(t, "readiness after the restart", func() bool { return a.Stats().Rewritten > 0 && a.Ready() })
	late := lateNode(t, at(server.Addr), Options{})
	if !refuses(late, "sess_1") {
		t.Error("forgotten with the store")
	}
}

func TestWhatHappensDuringAnOutageIsKeptAndStoredAfterIt(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a, b := node(t, at(server.Addr), Options{}), node(t, at(server.Addr), Options{})
	eventually(t, "readiness", func() bool { return a.Ready() && b.Ready() })
	server.Stop(t)
	if err := a.RevokeSession(t.Context(), "sess_1"); err == nil {
		t.Error("stored where there is no store")
	}
	if !refuses(a, "sess_1") {
		t.Error("not even this process refuses it")
	}
	server.Start(t)
	eventually(t, "the other node's knowing", func() bool { return refuses(b, "sess_1") })
}

// A node that was cut off reads on where it left off.
func TestANodeThatWasCutOffCatchesUp(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	a, far := node(t, at(server.Addr), Options{}), node(t, at(link.Addr), Options{})
	eventually(t, "readiness", func() bool { return a.Ready() && far.Ready() })
	link.Cut()
	eventually(t, "noticing", func() bool { return far.Stats().Away > 0 })
	for _, session := range []string{"sess_1", "sess_2"} {
		revoke(t, a, session)
	}
	if refuses(far, "sess_1") {
		t.Fatal("the link is not cut")
	}
	link.Heal()
	eventually(t, "catching up", func() bool { return refuses(far, "sess_1") && refuses(far, "sess_2") && far.Ready() })
}

func TestANodeThatIsToDenyDoesSoWhileItIsCutOff(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	s, lenient := node(t, at(link.Addr), Options{Deny: true}), node(t, at(link.Addr), Options{})
	eventually(t, "readiness", func() bool { return s.Ready() && lenient.Ready() })
	link.Cut()
	eventually(t, "noticing", func() bool { return !s.Ready() && lenient.Stats().Away > 0 })
	who, later := member(), time.Now().Add(Grace+time.Minute)
	who.IssuedAt = later
	if got := s.Revoked(who, later); got != policy.ReasonRevocationsUnavailable {
		t.Errorf("%q after the grace", got)
	}
	if got := lenient.Revoked(who, later); got != "" || !lenient.Ready() {
		t.Errorf("%q, ready %t, of one that is not to deny", got, lenient.Ready())
	}
	link.Heal()
	eventually(t, "readiness", s.Ready)
}

// What others wrote into the log is nobody's revocation.
func TestGarbageInTheStoreIsPassedOver(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	for _, value := range []string{"", "{", `{"k":"everybody","e":"gone","t":1}`, `{"k":"session","i":"a b","e":"gone","t":1}`} {
		server.Do(t, "XADD", newKeys("clerkgate", "").log, "*", "e", value)
	}
	server.Do(t, "XADD", newKeys("clerkgate", "").log, "*", "other", "x")
	s := node(t, at(server.Addr), Options{})
	eventually(t, "readiness", s.Ready)
	if s.Len() != 0 {
		t.Errorf("%d entries", s.Len())
	}
}

func TestEntriesLeaveTheStore(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	s := node(t, at(server.Addr), Options{})
	eventually(t, "readiness", s.Ready)
	revoke(t, s, "sess_1")
	ttl, ok := server.Do(t, "PTTL", newKeys("clerkgate", "").log).(int64)
	if most := (DefaultLifetime + margin).Milliseconds(); !ok || ttl <= 0 || ttl > most {
		t.Errorf("the log lives for %v ms, want up to %d", ttl, most)
	}
}

func TestAStoreThatNeverAnsweredIsAwayFromTheBeginning(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	at := now
	s := New(Options{Redis: client, Now: func() time.Time { return at }})
	at = at.Add(time.Minute)
	if got := s.Stats().Away; got != time.Minute {
		t.Errorf("away for %v, want a minute", got)
	}
}
