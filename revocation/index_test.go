package revocation

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// member is somebody signed in, by a token made when the test begins.
func member() *policy.Principal {
	return &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", OrgID: "org_1", IssuedAt: now}
}

func machine() *policy.Principal {
	return &policy.Principal{TokenType: policy.APIKey, UserID: "user_1", CredentialID: "ak_1"}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	before, after := now.Add(-time.Second).UnixMilli(), now.Add(time.Second).UnixMilli()
	for name, c := range map[string]struct {
		entry Entry
		who   *policy.Principal
		want  policy.Reason
	}{
		"a session that ended":                        {Entry{Session, "sess_1", "", Gone, after}, member(), policy.ReasonSessionRevoked},
		"a session that ended, and a later token":     {Entry{Session, "sess_1", "", Gone, before}, member(), policy.ReasonSessionRevoked},
		"another session":                             {Entry{Session, "sess_2", "", Gone, after}, member(), ""},
		"a user who is gone":                          {Entry{User, "user_1", "", Gone, before}, member(), policy.ReasonSessionRevoked},
		"a key of a user who is gone":                 {Entry{User, "user_1", "", Gone, before}, machine(), policy.ReasonSessionRevoked},
		"a user who was banned":                       {Entry{User, "user_1", "", GoneBefore, after}, member(), policy.ReasonSessionRevoked},
		"a user who was banned, and may come again":   {Entry{User, "user_1", "", GoneBefore, before}, member(), ""},
		"a membership that changed":                   {Entry{Member, "user_1", "org_1", Stale, after}, member(), policy.ReasonClaimsStale},
		"a membership that changed before the token":  {Entry{Member, "user_1", "org_1", Stale, before}, member(), ""},
		"at the very moment":                          {Entry{Member, "user_1", "org_1", Stale, now.UnixMilli()}, member(), policy.ReasonClaimsStale},
		"a membership elsewhere":                      {Entry{Member, "user_1", "org_2", Stale, after}, member(), ""},
		"another's membership":                        {Entry{Member, "user_2", "org_1", Stale, after}, member(), ""},
		"an organization":                             {Entry{Organization, "org_1", "", Stale, after}, member(), policy.ReasonClaimsStale},
		"a key":                                       {Entry{Credential, "ak_1", "", Gone, before}, machine(), policy.ReasonSessionRevoked},
		"another key":                                 {Entry{Credential, "ak_2", "", Gone, before}, machine(), ""},
		"a session's id is no key's":                  {Entry{Session, "ak_1", "", Gone, after}, machine(), ""},
		"everybody":                                   {Entry{Everybody, "", "", Stale, after}, member(), policy.ReasonClaimsStale},
		"everybody, but machines have no roles":       {Entry{Everybody, "", "", Stale, after}, machine(), ""},
		"everybody before":                            {Entry{Everybody, "", "", Stale, before}, member(), ""},
		"a session token that does not say its age":   {Entry{User, "user_1", "", GoneBefore, before}, &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1"}, policy.ReasonSessionRevoked},
		"a key that was vouched for before it was so": {Entry{User, "user_1", "", GoneBefore, after}, machine(), policy.ReasonSessionRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := NewIndex(0, 0)
			if err := c.entry.validate(); err != nil {
				t.Fatal(err)
			}
			x.add(now, c.entry)
			if got := x.Revoked(c.who, now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// What ended weighs more than what is only stale, whatever comes first.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	at := func(effect Effect, seconds int) Entry {
		return Entry{User, "user_1", "", effect, now.Add(time.Duration(seconds) * time.Second).UnixMilli()}
	}
	entries := []Entry{at(Stale, 5), at(GoneBefore, 1), at(Stale, 2), at(GoneBefore, -9)}
	for shift := range entries {
		x := NewIndex(0, 0)
		for i := range entries {
			x.add(now, entries[(i+shift)%len(entries)])
		}
		for seconds, want := range map[int]policy.Reason{0: policy.ReasonSessionRevoked, 3: policy.ReasonClaimsStale, 6: ""} {
			token := member()
			token.IssuedAt = now.Add(time.Duration(seconds) * time.Second)
			if got := x.Revoked(token, token.IssuedAt); got != want {
				t.Errorf("shift %d, a token of %d s: %q, want %q", shift, seconds, got, want)
			}
		}
	}
}

func TestEntriesLiveAsLongAsTokens(t *testing.T) {
	t.Parallel()
	x := NewIndex(time.Hour, 0)
	x.add(now, Entry{Session, "sess_1", "", Gone, now.UnixMilli()})
	x.sweep(now.Add(time.Hour))
	if x.Len() != 1 {
		t.Error("forgotten while tokens are out")
	}
	x.sweep(now.Add(time.Hour + margin + time.Second))
	if x.Len() != 0 {
		t.Error("kept for ever")
	}
	if x.filter.Load().has(Session, hashOf("sess_1"), 0) {
		t.Error("the filter still finds it")
	}
}

// A token that is older than entries are kept may have been revoked before.
func TestTokensOlderThanTheMemoryAreStale(t *testing.T) {
	t.Parallel()
	x := NewIndex(time.Hour, 0)
	if got := x.Revoked(member(), now.Add(time.Hour)); got != "" {
		t.Errorf("%q within the lifetime", got)
	}
	if got := x.Revoked(member(), now.Add(time.Hour+time.Second)); got != policy.ReasonClaimsStale {
		t.Errorf("%q beyond it, want stale", got)
	}
	if got := x.Revoked(machine(), now.Add(time.Hour+time.Second)); got != "" {
		t.Errorf("%q for a key that Clerk vouched for just now", got)
	}
}

// When there is no room the oldest go, and every token that they could have been
// about is stale instead: nobody gets in by filling the index.
func TestAFullIndexWidensInsteadOfForgetting(t *testing.T) {
	t.Parallel()
	x := NewIndex(time.Hour, 100)
	for i := range 1000 {
		x.add(now, Entry{Session, fmt.Sprintf("sess_%d", i), "", Gone, now.Add(time.Duration(i) * time.Millisecond).UnixMilli()})
	}
	if x.Len() > 100 {
		t.Errorf("%d entries", x.Len())
	}
	for i := range 1000 {
		token := member()
		token.SessionID, token.IssuedAt = fmt.Sprintf("sess_%d", i), now.Add(time.Duration(i)*time.Millisecond)
		if x.Revoked(token, now) == "" {
			t.Fatalf("session %d counts again", i)
		}
	}
	token := member()
	token.SessionID, token.IssuedAt = "sess_new", now.Add(time.Second)
	if got := x.Revoked(token, now); got != "" {
		t.Errorf("%q for a token made since", got)
	}
}

// Nor by emptying the store of one that is full.
func TestAFullIndexTellsWhatItForgot(t *testing.T) {
	t.Parallel()
	x, other := NewIndex(time.Hour, 100), NewIndex(time.Hour, 1000)
	for i := range 1000 {
		x.apply(now, []agedEntry{{Entry: Ended(fmt.Sprintf("sess_%d", i), now.Add(time.Duration(i)*time.Millisecond))}}, true)
	}
	if list := x.notStored(now); len(list) != 0 {
		t.Errorf("%d entries are told to a store that has them", len(list))
	}
	x.markNotStored()
	other.apply(now, x.notStored(now), true)
	for i := range 1000 {
		token := member()
		token.SessionID, token.IssuedAt = fmt.Sprintf("sess_%d", i), now.Add(time.Duration(i)*time.Millisecond)
		if other.Revoked(token, now) == "" {
			t.Fatalf("session %d counts again at who was told", i)
		}
	}
}

// Who was found to be nobody's concern is looked up again once more is known.
func TestWhatIsLearnedLaterCounts(t *testing.T) {
	t.Parallel()
	x, other, who := NewIndex(0, 0), NewIndex(0, 0), member()
	other.add(now, Ended("sess_1", now))
	for range 2 {
		if got := x.Revoked(who, now); got != "" {
			t.Errorf("%q before", got)
		}
	}
	if got := other.Revoked(who, now); got != policy.ReasonSessionRevoked {
		t.Errorf("%q in another index", got)
	}
	x.add(now, Ended("sess_1", now))
	if got := x.Revoked(who, now); got != policy.ReasonSessionRevoked {
		t.Errorf("%q afterwards", got)
	}
}

func TestBadEntriesAreRefused(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]Entry{
		"the zero entry":       {},
		"no id":                {Session, "", "", Gone, 1},
		"an id that is none":   {Session, "sess 1", "", Gone, 1},
		"half a membership":    {Member, "user_1", "", Stale, 1},
		"a session of":         {Session, "sess_1", "org_1", Gone, 1},
		"everybody gone":       {Everybody, "", "", Gone, 1},
		"an unknown kind":      {"x", "sess_1", "", Gone, 1},
		"an unknown effect":    {Session, "sess_1", "", "x", 1},
		"no time":              {Session, "sess_1", "", Gone, 0},
		"a time before Unix's": {Session, "sess_1", "", Gone, -1},
	} {
		if e.validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestTheStoreGetsBackWhatMadeTheIndex(t *testing.T) {
	t.Parallel()
	x, y := NewIndex(0, 0), NewIndex(0, 0)
	x.add(now, Ended("sess_1", now), Entry{User, "user_1", "", GoneBefore, 5}, Entry{User, "user_1", "", Stale, 9},
		Entry{Member, "user_1", "org_1", Stale, 7}, Entry{Everybody, "", "", Stale, 3})
	y.add(now, x.all()...)
	if len(x.subjects) != len(y.subjects) || x.sessionsStaleUntil.Load() != y.sessionsStaleUntil.Load() {
		t.Fatalf("%d marks of %d", len(y.subjects), len(x.subjects))
	}
	for s, m := range x.subjects {
		if got := y.subjects[s]; got.gone != m.gone || got.stale != m.stale {
			t.Errorf("%v: %+v, want %+v", s, got, m)
		}
	}
}

// A million entries are live, and the index is full.
func BenchmarkRevoked(b *testing.B) {
	x := NewIndex(0, 0)
	id := func(i int) string { return fmt.Sprintf("sess_2revokedsessionnumber%07d", i) }
	entries := make([]Entry, 0, DefaultEntries)
	for i := range DefaultEntries {
		entries = append(entries, Ended(id(i), now))
	}
	before := heap()
	x.add(now, entries...)
	perEntry := float64(heap()-before) / DefaultEntries
	live, gone := make([]*policy.Principal, 64), make([]*policy.Principal, 64)
	for i := range live {
		user := fmt.Sprintf("user_2aliveandwell%010d", i)
		live[i] = &policy.Principal{TokenType: policy.SessionToken, SessionID: fmt.Sprintf("sess_2livesession%013d", i), UserID: user, OrgID: "org_2acme0000000000000000001", IssuedAt: now}
		gone[i] = &policy.Principal{TokenType: policy.SessionToken, SessionID: id(i * 9999), UserID: user, OrgID: live[i].OrgID, IssuedAt: now}
	}
	for _, c := range []struct {
		name string
		who  []*policy.Principal
		seen bool
	}{{"first", live, false}, {"again", live, true}, {"revoked", gone, false}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := c.who[i%len(c.who)]
				if !c.seen {
					p.Clear(0)
				}
				x.Revoked(p, now)
			}
			b.ReportMetric(perEntry, "B/entry")
		})
	}
	runtime.KeepAlive(entries)
}

// Looking somebody up takes no memory, whether or not anything is known.
func TestLookingUpAllocatesNothing(t *testing.T) {
	x := NewIndex(0, 1000)
	x.add(now, Ended("sess_gone", now))
	live, gone := member(), member()
	gone.SessionID = "sess_gone"
	if n := testing.AllocsPerRun(100, func() {
		live.Clear(0)
		x.Revoked(live, now)
		x.Revoked(live, now)
		x.Revoked(gone, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
