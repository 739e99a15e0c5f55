package revocation

import (
	"errors"
	"math"
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
	// ID is the subject's; of a Member it is the user's. Everybody has none.
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
	case Everybody:
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

// mark is what is known of one subject. Times are Unix milliseconds.
type mark struct {
	// gone refuses, and stale wants anew, the tokens made up to then; 0 is none.
	gone, stale int64
	// at is when the last of it happened, and made is when this process was told
	// by somebody else than the store; 0 is never.
	at, made int64
}

// always is a time that every token was made before.
const always = math.MaxInt64

func (e *Entry) mark() mark {
	m := mark{at: e.At}
	switch e.Effect {
	case Gone:
		m.gone = always
	case GoneBefore:
		m.gone = e.At
	default:
		m.stale = e.At
	}
	return m
}

// merge adds what another mark knows. Nothing is undone by it, in whatever order
// entries arrive.
func (m mark) merge(other mark) mark {
	return mark{gone: max(m.gone, other.gone), stale: max(m.stale, other.stale), at: max(m.at, other.at), made: max(m.made, other.made)}
}

// entries are the entries that make up a mark.
func (m mark) entries(s subject) []Entry {
	var list []Entry
	add := func(effect Effect, at int64) {
		list = append(list, Entry{Kind: s.kind, ID: s.id, Of: s.of, Effect: effect, At: at})
	}
	switch m.gone {
	case 0:
	case always:
		add(Gone, m.at)
	default:
		add(GoneBefore, m.gone)
	}
	if m.stale > 0 {
		add(Stale, m.stale)
	}
	return list
}

// judge returns the reason a token made at an instant does not count, or "".
func (m mark) judge(issued int64) policy.Reason {
	switch {
	case issued <= m.gone:
		return policy.ReasonSessionRevoked
	case issued <= m.stale:
		return policy.ReasonClaimsStale
	}
	return ""
}
