package revocation

import (
	"errors"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Kind is the type of subject that an entry is about.
type Kind string

// The kinds.
const (
	// Session is one session, by its ID (sess_...).
	Session Kind = "session"
	// User is a user, with all of their sessions and API keys, by their ID (user_...).
	User Kind = "user"
	// Credential is an API key or a token of a machine, by its ID.
	Credential Kind = "credential"
	// Organization is an organization, with all of its members, by its ID (org_...).
	Organization Kind = "organization"
	// Member is the membership of one user in one organization.
	Member Kind = "member"
	// Everybody is all sessions of the instance.
	Everybody Kind = "everybody"
	// Everything is all tokens of the instance, of machines too: their revocations may
	// have been lost.
	Everything Kind = "everything"
)

// Effect is the effect of an entry on the tokens of its subject.
type Effect string

// The effects.
const (
	// Gone revokes every token, whenever it was issued
	// ([policy.ReasonSessionRevoked]).
	Gone Effect = "gone"
	// GoneBefore revokes the tokens issued up to the time of the entry
	// ([policy.ReasonSessionRevoked]).
	GoneBefore Effect = "gone_before"
	// Stale requires a new token in place of those issued up to the time of the entry,
	// because their claims have changed ([policy.ReasonClaimsStale]).
	Stale Effect = "stale"
)

// Entry is one revocation: its subject, its effect and its time.
type Entry struct {
	Kind Kind `json:"k"`
	// ID is the ID of the subject; that of the user for a Member. Empty for Everybody
	// and Everything.
	ID string `json:"i,omitempty"`
	// Of is the ID of the organization, for a Member.
	Of     string `json:"o,omitempty"`
	Effect Effect `json:"e"`
	// At is the time of the event, in Unix milliseconds.
	At int64 `json:"t"`
}

// Ended returns the entry of a session that has ended.
func Ended(sessionID string, at time.Time) Entry {
	return Entry{Kind: Session, ID: sessionID, Effect: Gone, At: at.UnixMilli()}
}

// maxID bounds an ID, in bytes. Clerk's have 32.
const maxID = 128

// validate returns an error for an entry without a subject, or with fields that its kind
// does not have.
func (e *Entry) validate() error {
	switch e.Kind {
	case Session, User, Credential, Organization:
		if !isID(e.ID) || e.Of != "" {
			return errors.New("an entry has no ID")
		}
	case Member:
		if !isID(e.ID) || !isID(e.Of) {
			return errors.New("a membership without a user or an organization")
		}
	case Everybody, Everything:
		if e.ID != "" || e.Of != "" || e.Effect != Stale {
			return errors.New("an entry for all subjects can only make claims stale")
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

// isID reports whether text can be one of Clerk's IDs: letters, digits, "_" and "-".
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

// subject is the key of an entry in the index.
type subject struct {
	kind   Kind
	id, of string
}

// notAfter returns the entry if it is not later than latest, which no clock can explain.
// For the effect Gone the time does not matter: it is cut to latest.
func (e Entry) notAfter(latest int64) (Entry, bool) {
	switch {
	case e.At <= latest:
	case e.Effect == Gone:
		e.At = latest
	default:
		return e, false
	}
	return e, true
}

// subjectState is the merged entries of one subject. Times are Unix milliseconds.
type subjectState struct {
	// Tokens issued up to gone are revoked, and those up to stale are stale; 0 is none.
	gone, stale int64
	// learned is when the first of all nodes learned of it, by the steady clock.
	learned int64
	// always: all tokens are revoked, whenever they were issued.
	always bool
	// goneStored and staleStored: Redis has the entry.
	goneStored, staleStored bool
}

// state returns the state of an entry; stored says whether Redis has it.
func (e *Entry) state(stored bool) subjectState {
	switch e.Effect {
	case Gone:
		return subjectState{gone: e.At, always: true, goneStored: stored}
	case GoneBefore:
		return subjectState{gone: e.At, goneStored: stored}
	}
	return subjectState{stale: e.At, staleStored: stored}
}

// at returns the time of the latest entry.
func (m subjectState) at() int64 { return max(m.gone, m.stale) }

// merge returns the union of two states. It is commutative, and revokes no less than
// each of them, so the order of entries does not matter. An entry is stored if Redis has
// the one that remains.
func (m subjectState) merge(other subjectState) subjectState {
	sum := subjectState{gone: max(m.gone, other.gone), stale: max(m.stale, other.stale), learned: max(m.learned, other.learned), always: m.always || other.always}
	for _, part := range [...]subjectState{m, other} {
		sum.goneStored = sum.goneStored || part.goneStored && part.gone == sum.gone && part.always == sum.always
		sum.staleStored = sum.staleStored || part.staleStored && part.stale == sum.stale
	}
	return sum
}

// entries returns the entries of a state: all, or with lacking those that Redis does not
// have.
func (m subjectState) entries(s subject, lacking bool) []Entry {
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

// reasonFor returns the reason for which a token issued at that time is rejected, or "".
func (m subjectState) reasonFor(issued int64) policy.Reason {
	switch {
	case m.always || m.gone > 0 && issued <= m.gone:
		return policy.ReasonSessionRevoked
	case m.stale > 0 && issued <= m.stale:
		return policy.ReasonClaimsStale
	}
	return ""
}
