package revocation

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// clock is one whose time of day can be set, while it runs on steadily.
type clock struct {
	began time.Time
	// set is by how much the time of day is wrong, and passed what has passed beside
	// the time that really did.
	set, passed atomic.Int64
}

func newClock() *clock { return &clock{began: time.Now()} }

func (c *clock) elapsed() time.Duration {
	return time.Since(c.began) + time.Duration(c.passed.Load())
}

// now is a time without a steady part.
func (c *clock) now() time.Time {
	return c.began.Round(0).Add(c.elapsed() + time.Duration(c.set.Load()))
}

func (c *clock) options(o Options) Options {
	o.Now, o.elapsed = c.now, c.elapsed
	return o
}

// A clock that is wrong for a while makes neither this node forget what has ended
// nor the store: not while it is, and not afterwards.
func TestAWrongClockForgetsNothing(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "a year ahead": 366 * 24 * time.Hour, "a day behind": -24 * time.Hour, "an hour ahead": time.Hour, "a minute behind": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t)
			c := newClock()
			a := node(t, at(server.Addr), c.options(Options{Lifetime: time.Hour, times: quick}))
			eventually(t, "readiness", a.Ready)
			for i := range 300 { // so that the stream has more than one piece
				if err := a.RevokeSession(t.Context(), "sess_"+string(rune('a'+i%26))+string(rune('a'+i/26))); err != nil {
					t.Fatal(err)
				}
			}
			revoke(t, a, "sess_1")
			made := time.Now()
			c.set.Store(int64(away))
			revoke(t, a, "sess_2") // appends, and lets go of what is past
			time.Sleep(5 * quick.sweep)
			a.sweep(a.steadyNow())
			c.set.Store(0)
			time.Sleep(2 * quick.read) // in which the store's time is asked for
			b := node(t, at(server.Addr), Options{Lifetime: time.Hour, times: quick})
			eventually(t, "readiness of another", b.Ready)
			for _, s := range []*Service{a, b} {
				if !refuses(s, "sess_1") || !refuses(s, "sess_2") || s.Len() != 302 {
					t.Errorf("passes who has ended: %d entries", s.Len())
				}
				who := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_3", UserID: "user_1", IssuedAt: made}
				if got := s.Revoked(who, time.Now()); got != "" {
					t.Errorf("%q for who goes on", got)
				}
			}
			if got := a.Stats(); got.Forgot != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What is past is forgotten, by the steady clock. A clock that is behind does not
// bring back the tokens that it was about.
func TestAClockThatIsBehindBringsNothingBack(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	for name, o := range map[string]Options{"alone": {}, "with a store": {}, "started late": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Lifetime, o.times, o.Instance = 300*time.Millisecond, quick, "instance"
			c := newClock()
			var s *Service
			if name == "alone" {
				s = New(c.options(o))
				s.Start(t.Context())
				defer s.Close()
			} else {
				s = node(t, at(server.Addr), c.options(o))
				eventually(t, "readiness", s.Ready)
			}
			ended := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_" + name[:1], UserID: "user_1", IssuedAt: time.Now()}
			if err := s.Revoke(t.Context(), Entry{Kind: User, ID: "user_1", Effect: GoneBefore, At: time.Now().UnixMilli()}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "forgetting", func() bool { return s.Len() == 0 })
			if name == "started late" {
				c = newClock()
				c.set.Store(int64(-time.Hour))
				s = node(t, at(server.Addr), c.options(o))
				eventually(t, "readiness", s.Ready)
			}
			c.set.Store(int64(-time.Hour))
			time.Sleep(3 * quick.read)
			if got := s.Revoked(ended, c.now()); got == "" {
				t.Error("the token of who was banned counts again")
			}
		})
	}
}

// Clerk's word for a key that says no time is as old as can be: a clock that is
// ahead does not make it newer than a ban.
func TestAClockThatIsAheadMakesNoTokenNewer(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	c := newClock()
	s := node(t, at(server.Addr), c.options(Options{times: quick}))
	eventually(t, "readiness", s.Ready)
	c.set.Store(int64(time.Hour))
	time.Sleep(3 * quick.read)
	if err := s.Revoke(t.Context(), Entry{Kind: User, ID: "user_1", Effect: GoneBefore, At: time.Now().UnixMilli()}); err != nil {
		t.Fatal(err)
	}
	if got := s.Revoked(machine(), c.now()); got != policy.ReasonSessionRevoked {
		t.Errorf("%q for a key of who was banned just now", got)
	}
}

// The store's clock may be set, too: what then left it too early is told again.
func TestAStoreWhoseClockWasSetIsToldAgain(t *testing.T) {
	t.Parallel()
	for name, passed := range map[string]time.Duration{"ahead": -time.Hour, "back": time.Hour} { // seen from here
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t)
			c := newClock()
			a := node(t, at(server.Addr), c.options(Options{times: quick}))
			eventually(t, "readiness", a.Ready)
			revoke(t, a, "sess_1")
			eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
			revoke(t, a, "sess_2") // which was read last
			eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
			log := newKeys("clerkgate", "").log
			server.Do(t, "XTRIM", log, "MAXLEN", 1)
			c.passed.Add(int64(passed))
			eventually(t, "telling", func() bool { return server.Do(t, "XLEN", log) == int64(2) })
			late := lateNode(t, at(server.Addr), Options{times: quick})
			if !refuses(late, "sess_1") {
				t.Error("it was not told")
			}
		})
	}
}
