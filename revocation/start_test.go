package revocation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// A node that has just started would let pass what the others refuse.
func TestWhoKnowsNothingYetLetsNobodyPass(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	link.Cut()
	var passed atomic.Int64
	began := time.Now()
	elapsed := func() time.Duration { return time.Since(began) + time.Duration(passed.Load()) }
	lenient, strict := node(t, at(link.Addr), Options{elapsed: elapsed}), node(t, at(link.Addr), Options{Deny: true, elapsed: elapsed})
	eventually(t, "noticing", func() bool { return lenient.Stats().Failures > 0 && strict.Stats().Failures > 0 })
	ask := func(s *Service, later time.Duration) policy.Reason {
		when := time.Now().Add(later)
		return s.Revoked(&policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", IssuedAt: when}, when)
	}
	for _, s := range []*Service{lenient, strict} {
		if got := ask(s, 0); got != policy.ReasonRevocationsUnavailable || s.Ready() || s.Stats().Away == 0 {
			t.Errorf("%q at the start, ready %t, away %v", got, s.Ready(), s.Stats().Away)
		}
	}
	if got := ask(lenient, 2*Grace); got != policy.ReasonRevocationsUnavailable {
		t.Errorf("%q at the start, by a clock that was set", got)
	}
	passed.Store(int64(2 * Grace))
	if got := ask(lenient, 2*Grace); got != "" {
		t.Errorf("%q after the grace, of one that is to go on", got)
	}
	if got := ask(strict, 2*Grace); got != policy.ReasonRevocationsUnavailable {
		t.Errorf("%q after the grace, of one that is to deny", got)
	}
	link.Heal()
	eventually(t, "readiness", func() bool { return lenient.Ready() && strict.Ready() })
	for _, s := range []*Service{lenient, strict} {
		if got := ask(s, 0); got != "" || !s.Ready() {
			t.Errorf("%q once it knows, ready %t", got, s.Ready())
		}
	}
}

func TestWaitingForTheStoreEnds(t *testing.T) {
	t.Parallel()
	s := node(t, at("127.0.0.1:1"), Options{})
	began := time.Now()
	s.Await(50 * time.Millisecond)
	if took := time.Since(began); took < 40*time.Millisecond || took > patience {
		t.Errorf("after %v", took)
	}
	New(Options{}).Await(time.Hour) // nobody to wait for
}

// Whoever starts on a store that has lost everything waits for those who know.
func TestAnEmptyStoreIsNotTakenForOneThatKnowsAll(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	a := node(t, at(link.Addr), Options{})
	eventually(t, "readiness", a.Ready)
	revoke(t, a, "sess_1")
	link.Cut()
	server.Restart(t)
	late := node(t, at(server.Addr), Options{})
	eventually(t, "reading", func() bool { return late.lastContact.Load() > 0 })
	link.Heal()
	eventually(t, "readiness of a node that came late", late.Ready)
	if !refuses(late, "sess_1") {
		t.Error("ready before it was told")
	}
}

// FLUSHALL ends no connection.
func TestAStoreThatIsEmptiedIsToldAgain(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a := node(t, at(server.Addr), Options{})
	eventually(t, "readiness", a.Ready)
	revoke(t, a, "sess_1")
	server.Do(t, "FLUSHALL")
	eventually(t, "telling", func() bool { return a.Stats().Rewritten > 0 })
	late := lateNode(t, at(server.Addr), Options{})
	if !refuses(late, "sess_1") {
		t.Error("forgotten with the store")
	}
}

// What the store took, and lost before its writer had read it, is told again: what
// was read last does not show that.
func TestWhatWasLostBeforeItWasReadIsToldAgain(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	a := node(t, at(server.Addr), Options{times: quick})
	eventually(t, "readiness", a.Ready)
	for i := range 2 { // in a log that has nothing yet, and in one that has
		ended := []agedEntry{{Entry: Ended(fmt.Sprintf("sess_%d", i), time.Now())}}
		a.apply(a.steadyNow(), ended, false)
		a.unconfirmed.add(ended)
		late := node(t, at(server.Addr), Options{times: quick})
		eventually(t, "telling", func() bool { return refuses(late, ended[0].ID) })
	}
	if again := a.Stats().Rewritten; again != 2 {
		t.Errorf("%d were told again", again)
	}
	revoke(t, a, "sess_read")
	eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	time.Sleep(2 * quick.read)
	if again := a.Stats().Rewritten; again != 2 {
		t.Errorf("%d were told again that were there", again-2)
	}
}

// Clerk delivers late what could not be delivered, hours after it happened.
func TestWhatWasToldDuringAnOutageIsStoredHoweverOldItIs(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := testredis.NewLink(t, server.Addr)
	far, starts, other := node(t, at(link.Addr), Options{}), testredis.NewLink(t, server.Addr), node(t, at(server.Addr), Options{})
	eventually(t, "readiness", func() bool { return far.Ready() && other.Ready() })
	link.Cut()
	starts.Cut()
	started := node(t, at(starts.Addr), Options{}) // and was never ready
	before := time.Now().Add(-5 * time.Hour)
	for s, session := range map[*Service]string{far: "sess_far", started: "sess_started"} {
		eventually(t, "noticing", func() bool { return s.Stats().Failures > 0 })
		if s.Revoke(t.Context(), Ended(session, before)) == nil {
			t.Error("stored without a store")
		}
	}
	link.Heal()
	starts.Heal()
	eventually(t, "the others' knowing", func() bool { return refuses(other, "sess_far") && refuses(other, "sess_started") })
}

// Telling everything again takes its time, and is not to keep out what is new.
func TestNewsDoNotWaitUntilAllIsToldAgain(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	full, other := node(t, at(server.Addr), Options{}), node(t, at(server.Addr), Options{})
	eventually(t, "readiness", func() bool { return full.Ready() && other.Ready() })
	const many = 50_000
	entries := make([]Entry, many)
	for i := range entries {
		entries[i] = Ended("sess_"+strconv.Itoa(i), time.Now())
	}
	full.add(time.Now(), entries...)
	server.Restart(t)
	eventually(t, "beginning to tell", func() bool { return full.Stats().Rewritten > 0 })
	revoke(t, other, "sess_new")
	eventually(t, "knowing", func() bool { return refuses(full, "sess_new") })
	if told := full.Stats().Rewritten; told >= many {
		t.Errorf("the news came after %d were told", told)
	}
	late := lateNode(t, at(server.Addr), Options{})
	if n := late.Len(); n < many {
		t.Errorf("ready with %d of %d", n, many)
	}
}

// The rights that the documentation asks for are enough.
func TestTheDocumentedRightsAreEnough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "revocation.md"))
	if err != nil {
		t.Fatal(err)
	}
	rights := regexp.MustCompile("`(\\+get [^`]*)`\\s+on `(~[^`]*)`").FindStringSubmatch(string(text))
	if rights == nil {
		t.Fatal("the documentation names no rights")
	}
	server := testredis.Start(t)
	user := []any{"ACL", "SETUSER", "gate", "on", ">hunter2", rights[2], "-@all"}
	for right := range strings.FieldsSeq(rights[1]) {
		user = append(user, right)
	}
	server.Do(t, user...)
	c := at(server.Addr)
	c.Username, c.Password = "gate", "hunter2"
	a, b := node(t, c, Options{}), node(t, c, Options{})
	eventually(t, "readiness", func() bool { return a.Ready() && b.Ready() })
	revoke(t, a, "sess_1")
	eventually(t, "knowing", func() bool { return refuses(b, "sess_1") })
	time.Sleep(2 * defaultTimes.read) // in which the store is looked at
	if !a.Ready() || a.Stats().Failures+b.Stats().Failures > 0 {
		t.Errorf("%+v, %+v", a.Stats(), b.Stats())
	}
}
