package revocation

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// A configuration that is loaded anew opens another service beside the one in force.
func TestKinKnowWhatOneIsTold(t *testing.T) {
	t.Parallel()
	kin := new(Group)
	old := New(Options{Instance: "a", Group: kin})
	revoke(t, old, "sess_before")
	next := New(Options{Instance: "a", Group: kin, Lifetime: time.Hour, MaxEntries: 10})
	revoke(t, old, "sess_to_the_old")
	revoke(t, next, "sess_to_the_new")
	for _, session := range []string{"sess_before", "sess_to_the_old", "sess_to_the_new"} {
		if !refuses(old, session) || !refuses(next, session) {
			t.Errorf("%s: refused by the old %t, by the new %t", session, refuses(old, session), refuses(next, session))
		}
	}
	old.Close()
	revoke(t, next, "sess_after")
	third := New(Options{Instance: "a", Group: kin})
	for _, session := range []string{"sess_before", "sess_to_the_old", "sess_to_the_new", "sess_after"} {
		if !refuses(third, session) {
			t.Errorf("%s passes after two reloads", session)
		}
	}
	if refuses(old, "sess_after") {
		t.Error("who left is still told")
	}
}

func TestKinOfAnotherInstanceKnowNothing(t *testing.T) {
	t.Parallel()
	kin := new(Group)
	a, b := New(Options{Instance: "a", Group: kin}), New(Options{Instance: "b", Group: kin})
	revoke(t, a, "sess_1")
	late := New(Options{Instance: "b", Group: kin})
	if refuses(b, "sess_1") || refuses(late, "sess_1") || b.Len() != 0 || late.Len() != 0 {
		t.Error("an event of one instance reached the other")
	}
}

// What one has forgotten, and refuses tokens for, the next cannot know either.
func TestKinRefuseWhatTheOtherHadForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	token := func(age time.Duration) *policy.Principal {
		return &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_x", UserID: "user_x", IssuedAt: now.Add(-age)}
	}
	for name, test := range map[string]struct {
		old  func(kin *Group) *Service
		age  time.Duration
		want policy.Reason
	}{
		"older than a shorter lifetime": {func(kin *Group) *Service { return New(Options{Group: kin, Lifetime: time.Hour}) }, 2 * time.Hour, policy.ReasonClaimsStale},
		"within it":                     {func(kin *Group) *Service { return New(Options{Group: kin, Lifetime: time.Hour}) }, 50 * time.Minute, ""},
		"of who had nothing to forget":  {func(kin *Group) *Service { return New(Options{Group: kin, Lifetime: time.Hour, AnyAge: true}) }, 2 * time.Hour, ""},
		"from before what made room": {func(kin *Group) *Service {
			s := New(Options{Group: kin, MaxEntries: 2})
			for i := range 4 {
				e := Ended(fmt.Sprintf("sess_%d", i), now.Add(-10*time.Minute))
				if err := s.Revoke(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			return s
		}, 20 * time.Minute, policy.ReasonClaimsStale},
	} {
		kin := new(Group)
		old := test.old(kin)
		if got := old.Revoked(token(test.age), now); got != test.want {
			t.Errorf("%s: the old says %q, not %q", name, got, test.want)
		}
		next := New(Options{Group: kin, Lifetime: 48 * time.Hour, AnyAge: true})
		if got := next.Revoked(token(test.age), now); got != test.want {
			t.Errorf("%s: the new says %q, not %q", name, got, test.want)
		}
	}
}

func TestKinTellTheirStores(t *testing.T) {
	t.Parallel()
	server, other := testredis.Start(t), testredis.Start(t)
	kin := new(Group)
	alone := New(Options{Group: kin})
	revoke(t, alone, "sess_1")
	with := node(t, at(server.Addr), Options{Group: kin})
	elsewhere := node(t, at(server.Addr), Options{})
	eventually(t, "the store having what was known before it", func() bool { return refuses(elsewhere, "sess_1") })
	eventually(t, "having read the store", with.Ready) // until then it refuses everybody, for another reason
	revoke(t, alone, "sess_2")
	if !refuses(with, "sess_2") {
		t.Error("one with a store is not told")
	}
	eventually(t, "the store having what one without it was told", func() bool { return refuses(elsewhere, "sess_2") })

	// From elsewhere, through the store, to the next that has none, or another one.
	revoke(t, elsewhere, "sess_3")
	eventually(t, "news from the store", func() bool { return refuses(with, "sess_3") })
	without := New(Options{Group: kin})
	moved := node(t, at(other.Addr), Options{Group: kin})
	there := node(t, at(other.Addr), Options{})
	for _, session := range []string{"sess_1", "sess_2", "sess_3"} {
		if !refuses(without, session) {
			t.Errorf("%s passes when the store is taken away", session)
		}
		eventually(t, "refusing "+session+" with another store", func() bool { return refuses(moved, session) })
		eventually(t, "the other store having "+session, func() bool { return refuses(there, session) })
	}
}

// However joining, leaving and events fall together, nobody is forgotten.
func TestKinForgetNobodyMeanwhile(t *testing.T) {
	t.Parallel()
	kin := new(Group)
	current := New(Options{Group: kin})
	const sessions, reloads = 2000, 100
	var telling sync.WaitGroup
	var mu sync.RWMutex // who holds it tells the service in force
	name := func(i int) string { return fmt.Sprintf("sess_%d", i) }
	telling.Go(func() {
		for i := range sessions {
			mu.RLock()
			revoke(t, current, name(i))
			mu.RUnlock()
		}
	})
	for i := range reloads {
		next := New(Options{Group: kin, MaxEntries: 2*sessions + i})
		mu.Lock()
		last := current
		current = next
		mu.Unlock()
		last.Close()
	}
	telling.Wait()
	for i := range sessions {
		if !refuses(current, name(i)) {
			t.Fatalf("%s passes after %d reloads", name(i), reloads)
		}
	}
	if len(kin.members[""]) != 1 {
		t.Errorf("%d members are left", len(kin.members[""]))
	}
}
