package revocation

import (
	"errors"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Kind is what an entry is about.
type Kind string

// The kinds.
const (
	// Session is one session, by its id.
	Session Kind = "session"
	// User is a user with all sessions and keys.
	User Kind = "user"
	// Credential is an API key or a machine's token, by its id.
	Credential Kind = "credential"
	// Organization is every member of one.
	Organization Kind = "organization"
	// Member is one user in one organization.
	Member Kind = "member"
	// Everybody is every session there is.
	Everybody Kind = "everybody"
	// Everything is every token there is, of machines too: what was known of them is
	// lost.
	Everything Kind = "everything"
)

// Effect is what becomes of the tokens an entry is about.
type Effect string

// The effects.
const (
	// Gone refuses every token, whenever it was made.
	Gone Effect = "gone"
	// GoneBefore refuses the tokens made up to the time of the entry.
	GoneBefore Effect = "gone_before"
	// Stale wants a new token in place of those made up to the time of the entry:
	// what they say has changed.
	Stale Effect = "stale"
)

// Entry says what happened to a subject, and when.
type Entry struct {
	Kind Kind `json:"k"`
	// ID is the subject's; of a Member it is the user's. Everybody and Everything
	// have none.
	ID string `json:"i,omitempty"`
	// Of is the organization's id, of a Member.
	Of     string `json:"o,omitempty"`
	Effect Effect `json:"e"`
	// At is when it happened, in Unix milliseconds.
	At int64 `json:"t"`
}

// Ended is the entry of a session that has ended.
func Ended(sessionID string, at time.Time) Entry {
	return Entry{Kind: Session, ID: sessionID, Effect: Gone, At: at.UnixMilli()}
}

// maxID bounds an id, in bytes. Clerk's have 32.
const maxID = 128

// validate refuses entries that are about nobody, or about more than they say.
func (e *Entry) validate() error {
	switch e.Kind {
	case Session, User, Credential, Organization:
		if !isID(e.ID) || e.Of != "" {
			return errors.New("an entry without an id")
		}
	case Member:
		if !isID(e.ID) || !isID(e.Of) {
			return errors.New("a membership without a user or an organization")
		}
	case Everybody, Everything:
		if e.ID != "" || e.Of != "" || e.Effect != Stale {
			return errors.New("everybody can only be stale")
		}
	default:
		return errors.New("an entry of an unknown kind")
	}
	if e.Effect != Gone && e.Effect != GoneBefore && e.Effect != Stale {
		return errors.New("an entry of an unknown effect")
	}
	if e.At <= 0 {
		return errors.New("an entry without a time")
	}
	return nil
}

// isID reports whether text can be one of Clerk's ids: letters, digits, "_" and
// "-".
func isID(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return text != "" && len(text) <= maxID
}

// subject is what an entry is found by.
type subject struct {
	kind   Kind
	id, of string
}

// possible returns an entry as it can have happened by some clock: up to then. One
// that happens later is nobody's, except that what is gone is so whenever that was.
func (e Entry) possible(latest int64) (Entry, bool) {
	switch {
	case e.At <= latest:
	case e.Effect == Gone:
		e.At = latest
	default:
		return e, false
	}
	return e, true
}

// mark is what is known of one subject. Times are Unix milliseconds.
type mark struct {
	// gone refuses, and stale wants anew, the tokens made up to then; 0 is none.
	gone, stale int64
	// learned is when the first of all nodes learned of it, by the steady clock.
	learned int64
	// always: what is gone is so whenever a token was made.
	always bool
	// goneStored and staleStored: the store has it.
	goneStored, staleStored bool
}

// mark is what an entry says, from the store or not.
func (e *Entry) mark(stored bool) mark {
	switch e.Effect {
	case Gone:
		return mark{gone: e.At, always: true, goneStored: stored}
	case GoneBefore:
		return mark{gone: e.At, goneStored: stored}
	}
	return mark{stale: e.At, staleStored: stored}
}

// at is when the last of it happened.
func (m mark) at() int64 { return max(m.gone, m.stale) }

// merge adds what another mark knows. Nothing is undone by it, in whatever order
// entries arrive. The store has it where it has what remains of both.
func (m mark) merge(other mark) mark {
	sum := mark{gone: max(m.gone, other.gone), stale: max(m.stale, other.stale), learned: max(m.learned, other.learned), always: m.always || other.always}
	for _, part := range [...]mark{m, other} {
		sum.goneStored = sum.goneStored || part.goneStored && part.gone == sum.gone && part.always == sum.always
		sum.staleStored = sum.staleStored || part.staleStored && part.stale == sum.stale
	}
	return sum
}

// entries are the entries that make up a mark, or those that the store lacks.
func (m mark) entries(s subject, lacking bool) []Entry {
	var list []Entry
	add := func(effect Effect, at int64, stored bool) {
		if at > 0 && !(lacking && stored) {
			list = append(list, Entry{Kind: s.kind, ID: s.id, Of: s.of, Effect: effect, At: at})
		}
	}
	effect := GoneBefore
	if m.always {
		effect = Gone
	}
	add(effect, m.gone, m.goneStored)
	add(Stale, m.stale, m.staleStored)
	return list
}

// judge returns the reason a token made at an instant does not count, or "".
func (m mark) judge(issued int64) policy.Reason {
	switch {
	case m.always || m.gone > 0 && issued <= m.gone:
		return policy.ReasonSessionRevoked
	case m.stale > 0 && issued <= m.stale:
		return policy.ReasonClaimsStale
	}
	return ""
}
