package revocation

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Bounds of an index.
const (
	// DefaultLifetime is how long a token holds at most.
	DefaultLifetime = 24 * time.Hour
	// DefaultEntries is how many subjects are remembered at most.
	DefaultEntries = 1_000_000
	// margin is how much longer than a token an entry is kept, and how much later than
	// now something can have happened: clocks differ.
	margin = 5 * time.Minute
	// vouched is how long Clerk's word for an opaque token may be old. Such a
	// token does not say when it was made.
	vouched = time.Minute
)

// Index is what is known in this process. It is safe for concurrent use; looking
// somebody up takes no lock and no memory, unless there is an entry about them.
//
// What is forgotten goes by a steady clock, which nobody sets: the times that its
// methods other than Revoked take are a process's own.
type Index struct {
	lifetime time.Duration
	// margin is [margin], except in tests.
	margin time.Duration
	most   int
	anyAge atomic.Bool // see [Options.AnyAge]

	// state is the number of what is known now.
	state atomic.Uint64
	// filter tells most subjects without an entry apart from those with one.
	filter atomic.Pointer[filter]
	// everybody is up to when every session's claims are stale, and floor up to
	// when every token's are, because entries were dropped. In Unix milliseconds; 0 is
	// none.
	everybody, floor atomic.Int64
	// retention is for how long entries are kept, in milliseconds: for a lifetime and
	// the margin, or as long as others need them.
	retention atomic.Int64
	// behind is how far the clock that judges is behind a better one, in
	// milliseconds; negative where it is ahead.
	behind atomic.Int64
	// ahead is how far the store's clock is ahead of the steady one, in milliseconds.
	ahead atomic.Int64

	mu    sync.RWMutex
	marks map[subject]mark // guarded by mu; filter changes under it too
}

// NewIndex returns an empty index. Entries are kept for the lifetime of tokens,
// and most of them at most; zero is the default of each.
func NewIndex(lifetime time.Duration, most int) *Index {
	if lifetime <= 0 {
		lifetime = DefaultLifetime
	}
	if most <= 0 {
		most = DefaultEntries
	}
	x := &Index{lifetime: lifetime, most: most, marks: map[subject]mark{}}
	x.setMargin(margin)
	x.filter.Store(newFilter(most))
	x.state.Store(states.Add(1))
	return x
}

// setMargin says how much longer than a token entries are kept.
func (x *Index) setMargin(margin time.Duration) {
	x.margin = margin
	x.retention.Store((x.lifetime + margin).Milliseconds())
}

// states numbers what indexes know, over all of them.
var states atomic.Uint64

// Revoked implements [policy.Revocations]. A token older than entries are kept
// is stale too: what is no longer remembered may have been about it.
func (x *Index) Revoked(p *policy.Principal, now time.Time) policy.Reason {
	earliest, latest := x.span(now)
	issued := issuedAt(p, earliest)
	reason := policy.Reason("")
	if issued <= x.floor.Load() || p.TokenType == policy.SessionToken && issued <= x.everybody.Load() || issued < latest-x.lifetime.Milliseconds() && !x.anyAge.Load() {
		reason = policy.ReasonClaimsStale
	}
	state := x.state.Load()
	if p.Cleared() == state {
		return reason
	}
	switch known := x.lookUp(p, issued); known {
	case "":
		p.Clear(state)
	case policy.ReasonSessionRevoked:
		return known
	default:
		reason = known
	}
	return reason
}

// span is between when it is now by the clock that judges and by a better one, in
// Unix milliseconds. Where they differ it is not said which of them is wrong: a
// token is as old as it can be.
func (x *Index) span(now time.Time) (earliest, latest int64) {
	at := now.UnixMilli()
	behind := x.behind.Load()
	if behind == 0 {
		return at, at
	}
	return at + min(behind, 0), at + max(behind-x.margin.Milliseconds(), 0)
}

// lookUp returns what entries about a principal say of a token made then.
func (x *Index) lookUp(p *policy.Principal, issued int64) policy.Reason {
	reason := policy.Reason("")
	if p.Actor != "" {
		if reason = x.lookUpActors(p, issued); reason == policy.ReasonSessionRevoked {
			return reason
		}
	}
	if !x.mayKnow(p) {
		return reason
	}
	for _, s := range [...]subject{{Session, p.SessionID, ""}, {User, p.UserID, ""}, {Organization, p.OrgID, ""}, {Member, p.UserID, p.OrgID}, {Credential, p.CredentialID, ""}} {
		if s.id == "" || s.kind == Member && s.of == "" {
			continue
		}
		switch x.mark(s).judge(issued) {
		case policy.ReasonSessionRevoked:
			return policy.ReasonSessionRevoked
		case policy.ReasonClaimsStale:
			reason = policy.ReasonClaimsStale
		}
	}
	return reason
}

// mayKnow reports whether there may be an entry about a principal. No entry has
// an empty id, so that what is not there is found by mistake at most.
func (x *Index) mayKnow(p *policy.Principal) bool {
	f := x.filter.Load()
	user, org := sum(p.UserID), sum(p.OrgID)
	return f.has(Session, sum(p.SessionID), 0) || f.has(User, user, 0) || f.has(Organization, org, 0) || f.has(Member, user, org) ||
		p.CredentialID != "" && f.has(Credential, sum(p.CredentialID), 0)
}

// issuedAt is when what a token says was true, in Unix milliseconds. A session
// token that does not say is taken to be as old as can be.
func issuedAt(p *policy.Principal, now int64) int64 {
	switch {
	case !p.IssuedAt.IsZero():
		return p.IssuedAt.UnixMilli()
	case p.TokenType == policy.SessionToken:
		return 0
	}
	return now - vouched.Milliseconds()
}

func (x *Index) mark(s subject) mark {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.marks[s]
}

// add takes entries in. They count from the moment it returns.
func (x *Index) add(now time.Time, entries ...Entry) {
	list := make([]aged, 0, len(entries))
	for _, e := range entries {
		list = append(list, aged{Entry: e})
	}
	x.take(now, list, false)
}

// take takes entries in that the store has, or that it does not have yet.
func (x *Index) take(now time.Time, entries []aged, stored bool) {
	if len(entries) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case Everybody:
			raise(&x.everybody, e.At)
		case Everything:
			raise(&x.floor, e.At)
		}
		if len(x.marks) >= x.most {
			x.makeRoom(now)
		}
		s := subject{e.Kind, e.ID, e.Of}
		m := e.mark(stored)
		m.learned = now.UnixMilli() - e.age.Milliseconds()
		x.marks[s] = x.marks[s].merge(m)
		x.filter.Load().add(s)
	}
	x.state.Store(states.Add(1))
}

// sweep forgets the entries that outlived all tokens they could be about.
func (x *Index) sweep(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropPast(now)
}

func (x *Index) dropPast(now time.Time) {
	past := now.UnixMilli() - x.retention.Load()
	x.drop(func(m mark) bool { return m.learned < past })
}

// makeRoom forgets what is past, or else the older half.
func (x *Index) makeRoom(now time.Time) {
	x.dropPast(now)
	if len(x.marks) < x.most {
		return
	}
	times := make([]int64, 0, len(x.marks))
	for _, m := range x.marks {
		times = append(times, m.at())
	}
	slices.Sort(times)
	last := times[len(times)/2]
	x.drop(func(m mark) bool { return m.at() <= last })
	// A store that forgets is told that, too: those who start on it know no more.
	s := subject{kind: Everything}
	x.marks[s] = x.marks[s].merge(mark{stale: last, staleStored: true, learned: now.UnixMilli()})
}

// drop forgets marks. Every token that they can have been about is stale instead:
// where they are past there is none, unless the clock that judges is behind.
func (x *Index) drop(past func(mark) bool) {
	before, last := len(x.marks), int64(0)
	maps.DeleteFunc(x.marks, func(_ subject, m mark) bool {
		if !past(m) {
			return false
		}
		// Nothing is learned of much sooner than it happens, by whichever clock is right.
		last = max(last, min(m.at(), m.learned+min(x.ahead.Load(), 0)+x.margin.Milliseconds()))
		return true
	})
	if len(x.marks) == before {
		return
	}
	raise(&x.floor, last)
	f := newFilter(x.most)
	for s := range x.marks {
		f.add(s)
	}
	x.filter.Store(f)
}

// all lists every entry.
func (x *Index) all() []Entry {
	var list []Entry
	for _, e := range x.list(time.Time{}, false) {
		list = append(list, e.Entry)
	}
	return list
}

// lacking lists what the store does not have.
func (x *Index) lacking(now time.Time) []aged { return x.list(now, true) }

func (x *Index) list(now time.Time, lacking bool) []aged {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var list []aged
	for s, m := range x.marks {
		age := time.Duration(now.UnixMilli()-m.learned) * time.Millisecond
		for _, e := range m.entries(s, lacking) {
			list = append(list, aged{e, age})
		}
	}
	return list
}

// stillLacking leaves out what the store has got meanwhile.
func (x *Index) stillLacking(list []aged) []aged {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.DeleteFunc(list, func(e aged) bool {
		m, ok := x.marks[subject{e.Kind, e.ID, e.Of}]
		return !ok || len(m.entries(subject{}, true)) == 0
	})
}

// lost: the store is to be read anew, and what is not found in it was lost.
func (x *Index) lost() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for s, m := range x.marks {
		m.goneStored, m.staleStored = false, false
		x.marks[s] = m
	}
}

// Len is how many subjects have an entry.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.marks)
}

func raise(to *atomic.Int64, at int64) {
	for {
		old := to.Load()
		if at <= old || to.CompareAndSwap(old, at) {
			return
		}
	}
}

var _ policy.Revocations = (*Index)(nil)
