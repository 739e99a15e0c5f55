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
	// DefaultLifetime is the default of the longest lifetime of a token.
	DefaultLifetime = 24 * time.Hour
	// DefaultEntries is the default of how many subjects have entries at most.
	DefaultEntries = 1_000_000
	// margin is how much longer than the lifetime of a token an entry is kept, and how
	// far in the future its time may be: clocks differ.
	margin = 5 * time.Minute
	// opaqueMaxAge is the age that an opaque token is assumed to have, which does not say
	// when it was issued: how old a cached verification by Clerk can be.
	opaqueMaxAge = time.Minute
)

// Index is the revocations of this process, in memory. It is safe for concurrent use.
// Looking up a principal takes no lock and allocates nothing, unless there is an entry
// about it.
//
// Entries expire by a steady clock, which is never set: the methods other than Revoked
// take the time of that clock.
type Index struct {
	lifetime time.Duration
	// margin is [margin], except in tests.
	margin     time.Duration
	maxEntries int
	anyAge     atomic.Bool // see [Options.AnyAge]

	// version is the version of the entries.
	version atomic.Uint64
	// filter has all subjects with an entry, and few others.
	filter atomic.Pointer[filter]
	// Session tokens issued up to sessionsStaleUntil are stale, and all tokens issued up
	// to allStaleUntil, because entries about them may have been dropped. In Unix
	// milliseconds; 0 is none.
	sessionsStaleUntil, allStaleUntil atomic.Int64
	// retention is how long entries are kept, in milliseconds: the lifetime and the
	// margin, or longer if other nodes need it.
	retention atomic.Int64
	// clockBehind is how far the wall clock (Options.Now) is behind the store's, in
	// milliseconds; negative if it is ahead.
	clockBehind atomic.Int64
	// storeAhead is how far the store's clock is ahead of the steady one, in
	// milliseconds.
	storeAhead atomic.Int64

	mu       sync.RWMutex
	subjects map[subject]subjectState // guarded by mu; filter changes under it too
}

// NewIndex returns an empty index. lifetime is the longest lifetime of a token, for which
// entries are kept, and most is how many subjects have entries at most; 0 is
// [DefaultLifetime] and [DefaultEntries].
func NewIndex(lifetime time.Duration, most int) *Index {
	if lifetime <= 0 {
		lifetime = DefaultLifetime
	}
	if most <= 0 {
		most = DefaultEntries
	}
	x := &Index{lifetime: lifetime, maxEntries: most, subjects: map[subject]subjectState{}}
	x.setMargin(margin)
	x.filter.Store(newFilter(most))
	x.version.Store(versions.Add(1))
	return x
}

// setMargin sets how much longer than the lifetime of a token entries are kept.
func (x *Index) setMargin(margin time.Duration) {
	x.margin = margin
	x.retention.Store((x.lifetime + margin).Milliseconds())
}

// versions is the last version of any index.
var versions atomic.Uint64

// Revoked implements [policy.Revocations]: it returns the reason for which the token of
// a principal is rejected, or "". A token older than the lifetime for which entries are
// kept is stale, too: entries about it may have expired.
func (x *Index) Revoked(p *policy.Principal, now time.Time) policy.Reason {
	earliest, latest := x.clockRange(now)
	issued := issuedAt(p, earliest)
	reason := policy.Reason("")
	if issued <= x.allStaleUntil.Load() || p.TokenType == policy.SessionToken && issued <= x.sessionsStaleUntil.Load() || issued < latest-x.lifetime.Milliseconds() && !x.anyAge.Load() {
		reason = policy.ReasonClaimsStale
	}
	state := x.version.Load()
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

// clockRange returns the earliest and the latest time that it can be now, in Unix
// milliseconds: by the wall clock and by the store's. Either may be wrong, so a token is
// as old as it can be.
func (x *Index) clockRange(now time.Time) (earliest, latest int64) {
	at := now.UnixMilli()
	behind := x.clockBehind.Load()
	if behind == 0 {
		return at, at
	}
	return at + min(behind, 0), at + max(behind-x.margin.Milliseconds(), 0)
}

// lookUp returns the reason of the entries about a principal, and its actors, for a token
// issued at that time.
func (x *Index) lookUp(p *policy.Principal, issued int64) policy.Reason {
	reason := policy.Reason("")
	if p.Actor != "" {
		if reason = x.lookUpActors(p, issued); reason == policy.ReasonSessionRevoked {
			return reason
		}
	}
	if !x.mayHaveEntry(p) {
		return reason
	}
	for _, s := range [...]subject{{Session, p.SessionID, ""}, {User, p.UserID, ""}, {Organization, p.OrgID, ""}, {Member, p.UserID, p.OrgID}, {Credential, p.CredentialID, ""}} {
		if s.id == "" || s.kind == Member && s.of == "" {
			continue
		}
		switch x.stateOf(s).reasonFor(issued) {
		case policy.ReasonSessionRevoked:
			return policy.ReasonSessionRevoked
		case policy.ReasonClaimsStale:
			reason = policy.ReasonClaimsStale
		}
	}
	return reason
}

// mayHaveEntry reports whether there may be an entry about a principal. No entry has an
// empty ID, so an empty one is a false positive at most.
func (x *Index) mayHaveEntry(p *policy.Principal) bool {
	f := x.filter.Load()
	user, org := hashOf(p.UserID), hashOf(p.OrgID)
	return f.has(Session, hashOf(p.SessionID), 0) || f.has(User, user, 0) || f.has(Organization, org, 0) || f.has(Member, user, org) ||
		p.CredentialID != "" && f.has(Credential, hashOf(p.CredentialID), 0)
}

// issuedAt returns the time at which the claims of a token were true, in Unix
// milliseconds. A session token without the claim iat is as old as can be.
func issuedAt(p *policy.Principal, now int64) int64 {
	switch {
	case !p.IssuedAt.IsZero():
		return p.IssuedAt.UnixMilli()
	case p.TokenType == policy.SessionToken:
		return 0
	}
	return now - opaqueMaxAge.Milliseconds()
}

func (x *Index) stateOf(s subject) subjectState {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.subjects[s]
}

// add applies entries that Redis does not have. They take effect before it returns.
func (x *Index) add(now time.Time, entries ...Entry) {
	list := make([]agedEntry, 0, len(entries))
	for _, e := range entries {
		list = append(list, agedEntry{Entry: e})
	}
	x.apply(now, list, false)
}

// apply applies entries; stored says whether Redis has them.
func (x *Index) apply(now time.Time, entries []agedEntry, stored bool) {
	if len(entries) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case Everybody:
			raise(&x.sessionsStaleUntil, e.At)
		case Everything:
			raise(&x.allStaleUntil, e.At)
		}
		if len(x.subjects) >= x.maxEntries {
			x.evict(now)
		}
		s := subject{e.Kind, e.ID, e.Of}
		m := e.state(stored)
		m.learned = now.UnixMilli() - e.age.Milliseconds()
		x.subjects[s] = x.subjects[s].merge(m)
		x.filter.Load().add(s)
	}
	x.version.Store(versions.Add(1))
}

// sweep drops expired entries: all tokens that they could revoke have expired.
func (x *Index) sweep(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropExpired(now)
}

func (x *Index) dropExpired(now time.Time) {
	past := now.UnixMilli() - x.retention.Load()
	x.drop(func(m subjectState) bool { return m.learned < past })
}

// evict drops expired entries, or else the older half of all.
func (x *Index) evict(now time.Time) {
	x.dropExpired(now)
	if len(x.subjects) < x.maxEntries {
		return
	}
	times := make([]int64, 0, len(x.subjects))
	for _, m := range x.subjects {
		times = append(times, m.at())
	}
	slices.Sort(times)
	last := times[len(times)/2]
	x.drop(func(m subjectState) bool { return m.at() <= last })
	// A store that loses its entries gets this one, too: new processes know no more.
	s := subject{kind: Everything}
	x.subjects[s] = x.subjects[s].merge(subjectState{stale: last, staleStored: true, learned: now.UnixMilli()})
}

// drop drops entries. Every token that they can have revoked is stale instead: for
// expired entries there is none, unless the wall clock is behind.
func (x *Index) drop(past func(subjectState) bool) {
	before, last := len(x.subjects), int64(0)
	maps.DeleteFunc(x.subjects, func(_ subject, m subjectState) bool {
		if !past(m) {
			return false
		}
		// By whichever clock is right, entries are not learned much before their time.
		last = max(last, min(m.at(), m.learned+min(x.storeAhead.Load(), 0)+x.margin.Milliseconds()))
		return true
	})
	if len(x.subjects) == before {
		return
	}
	raise(&x.allStaleUntil, last)
	f := newFilter(x.maxEntries)
	for s := range x.subjects {
		f.add(s)
	}
	x.filter.Store(f)
}

// all returns every entry.
func (x *Index) all() []Entry {
	var list []Entry
	for _, e := range x.list(time.Time{}, false) {
		list = append(list, e.Entry)
	}
	return list
}

// notStored returns the entries that Redis does not have.
func (x *Index) notStored(now time.Time) []agedEntry { return x.list(now, true) }

func (x *Index) list(now time.Time, lacking bool) []agedEntry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var list []agedEntry
	for s, m := range x.subjects {
		age := time.Duration(now.UnixMilli()-m.learned) * time.Millisecond
		for _, e := range m.entries(s, lacking) {
			list = append(list, agedEntry{e, age})
		}
	}
	return list
}

// stillNotStored removes the entries that Redis has meanwhile from a list.
func (x *Index) stillNotStored(list []agedEntry) []agedEntry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.DeleteFunc(list, func(e agedEntry) bool {
		m, ok := x.subjects[subject{e.Kind, e.ID, e.Of}]
		return !ok || len(m.entries(subject{}, true)) == 0
	})
}

// markNotStored marks all entries as not stored, before the store is read again: those
// that are not found in it were lost.
func (x *Index) markNotStored() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for s, m := range x.subjects {
		m.goneStored, m.staleStored = false, false
		x.subjects[s] = m
	}
}

// Len returns how many subjects have an entry.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.subjects)
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
