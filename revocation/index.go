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
	// margin is how much longer than a token an entry is kept: clocks differ.
	margin = 5 * time.Minute
	// vouched is how long Clerk's word for an opaque token may be old. Such a
	// token does not say when it was made.
	vouched = time.Minute
)

// Index is what is known in this process. It is safe for concurrent use; looking
// somebody up takes no lock and no memory, unless there is an entry about them.
type Index struct {
	lifetime time.Duration
	most     int
	anyAge   atomic.Bool // see [Options.AnyAge]

	// state is the number of what is known now.
	state atomic.Uint64
	// filter tells most subjects without an entry apart from those with one.
	filter atomic.Pointer[filter]
	// everybody is up to when every session's claims are stale, and floor up to
	// when every token's are, because entries had to be dropped. In Unix
	// milliseconds; 0 is none.
	everybody, floor atomic.Int64

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
	x.filter.Store(newFilter(most))
	x.state.Store(states.Add(1))
	return x
}

// states numbers what indexes know, over all of them.
var states atomic.Uint64

// Revoked implements [policy.Revocations]. A token older than entries are kept
// is stale too: what is no longer remembered may have been about it.
func (x *Index) Revoked(p *policy.Principal, now time.Time) policy.Reason {
	issued := issuedAt(p, now)
	reason := policy.Reason("")
	if issued <= x.floor.Load() || p.TokenType == policy.SessionToken && issued <= x.everybody.Load() || issued < now.Add(-x.lifetime).UnixMilli() && !x.anyAge.Load() {
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

// lookUp returns what entries about a principal say of a token made then.
func (x *Index) lookUp(p *policy.Principal, issued int64) policy.Reason {
	if !x.mayKnow(p) {
		return ""
	}
	reason := policy.Reason("")
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
func issuedAt(p *policy.Principal, now time.Time) int64 {
	switch {
	case !p.IssuedAt.IsZero():
		return p.IssuedAt.UnixMilli()
	case p.TokenType == policy.SessionToken:
		return 0
	}
	return now.Add(-vouched).UnixMilli()
}

func (x *Index) mark(s subject) mark {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.marks[s]
}

// add takes entries in. They count from the moment it returns.
func (x *Index) add(now time.Time, entries ...Entry) { x.take(now, 0, entries) }

// addMade takes entries in that nobody else may know.
func (x *Index) addMade(now time.Time, entries ...Entry) { x.take(now, now.UnixMilli(), entries) }

func (x *Index) take(now time.Time, made int64, entries []Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range entries {
		if e.Kind == Everybody {
			raise(&x.everybody, e.At)
			continue
		}
		if len(x.marks) >= x.most {
			x.makeRoom(now)
		}
		s := subject{e.Kind, e.ID, e.Of}
		m := e.mark()
		m.made = made
		x.marks[s] = x.marks[s].merge(m)
		x.filter.Load().add(s)
	}
	x.state.Store(states.Add(1))
}

// sweep forgets the entries that outlived all tokens they could be about.
func (x *Index) sweep(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropBefore(now.Add(-x.lifetime - margin).UnixMilli())
}

// makeRoom forgets what is past, or else the older half. What had to be
// forgotten too early is made up for: every token up to then is stale.
func (x *Index) makeRoom(now time.Time) {
	x.dropBefore(now.Add(-x.lifetime - margin).UnixMilli())
	if len(x.marks) < x.most {
		return
	}
	times := make([]int64, 0, len(x.marks))
	for _, m := range x.marks {
		times = append(times, m.at)
	}
	slices.Sort(times)
	last := times[len(times)/2]
	raise(&x.floor, last)
	x.dropBefore(last + 1)
}

func (x *Index) dropBefore(at int64) {
	before := len(x.marks)
	maps.DeleteFunc(x.marks, func(_ subject, m mark) bool { return m.at < at })
	if len(x.marks) == before {
		return
	}
	f := newFilter(x.most)
	for s := range x.marks {
		f.add(s)
	}
	x.filter.Store(f)
}

// all lists every entry, for a store that lost them.
func (x *Index) all() []Entry { return x.since(0, 0) }

// since lists what happened from a time on, and what was made here from a time
// on, whenever it happened: deliveries come late. What is about everybody is
// always among it.
func (x *Index) since(at, made int64) []Entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var list []Entry
	for s, m := range x.marks {
		if m.at >= at || m.made >= made {
			list = append(list, m.entries(s)...)
		}
	}
	if at := x.everybody.Load(); at > 0 {
		list = append(list, Entry{Kind: Everybody, Effect: Stale, At: at})
	}
	return list
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
