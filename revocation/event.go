package revocation

import (
	"cmp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// event is the envelope of a Clerk event. Names are case-sensitive.
type event struct {
	Type      string         `json:"type"`
	Timestamp int64          `json:"timestamp"` // Unix milliseconds
	Data      jsontext.Value `json:"data"`
}

// The data of events. Only the fields that are needed are read, so that changes of
// other fields cannot make an event invalid.
type (
	subjectData struct {
		ID string `json:"id"`
	}
	userData struct {
		ID     string `json:"id"`
		Banned bool   `json:"banned"`
		Locked bool   `json:"locked"`
	}
	memberData struct {
		Organization subjectData `json:"organization"`
		PublicUser   struct {
			UserID string `json:"user_id"`
		} `json:"public_user_data"`
	}
	payerData struct {
		Payer struct {
			UserID         string `json:"user_id"`
			OrganizationID string `json:"organization_id"`
		} `json:"payer"`
	}
)

// eventReader returns the entry of an event from its data, or false for invalid data.
type eventReader func(data jsontext.Value) (Entry, bool)

// readerOf returns the reader of an event whose data is a T.
func readerOf[T any](entry func(T) Entry) eventReader {
	return func(data jsontext.Value) (Entry, bool) {
		var d T
		if json.Unmarshal(data, &d) != nil {
			return Entry{}, false
		}
		return entry(d), true
	}
}

// events are the readers of the Clerk events that revoke tokens. All others have no
// effect. A locked user cannot sign in, but Clerk may keep their sessions, so tokens are
// only stale: Clerk decides about new ones.
var events = map[string]eventReader{
	"session.ended":   gone(Session),
	"session.removed": gone(Session),
	"session.revoked": gone(Session),

	"user.deleted": gone(User),
	"user.updated": readerOf(userChanged),

	"organizationMembership.deleted": readerOf(memberChanged),
	"organizationMembership.updated": readerOf(memberChanged),
	"organization.deleted":           readerOf(func(d subjectData) Entry { return Entry{Kind: Organization, ID: d.ID, Effect: Stale} }),

	"role.updated":       everybodyChanged,
	"role.deleted":       everybodyChanged,
	"permission.updated": everybodyChanged,
	"permission.deleted": everybodyChanged,

	"apiKey.revoked":   gone(Credential),
	"apiKey.deleted":   gone(Credential),
	"m2mToken.revoked": gone(Credential),
}

func gone(kind Kind) eventReader {
	return readerOf(func(d subjectData) Entry { return Entry{Kind: kind, ID: d.ID, Effect: Gone} })
}

func userChanged(d userData) Entry {
	switch {
	case d.Banned:
		return Entry{Kind: User, ID: d.ID, Effect: GoneBefore}
	case d.Locked:
		return Entry{Kind: User, ID: d.ID, Effect: Stale}
	}
	return Entry{}
}

func memberChanged(d memberData) Entry {
	return Entry{Kind: Member, ID: d.PublicUser.UserID, Of: d.Organization.ID, Effect: Stale}
}

func everybodyChanged(jsontext.Value) (Entry, bool) {
	return Entry{Kind: Everybody, Effect: Stale}, true
}

// payerChanged is for events of subscriptions, which change plans and features.
func payerChanged(d payerData) Entry {
	if d.Payer.OrganizationID != "" {
		return Entry{Kind: Organization, ID: d.Payer.OrganizationID, Effect: Stale}
	}
	return Entry{Kind: User, ID: d.Payer.UserID, Effect: Stale}
}

// maxClockAhead is how far Clerk's clock may be ahead of ours.
const maxClockAhead = time.Minute

// readEvent returns the entries of an event: none for one that revokes nothing. It
// returns false for a body that is no event, and for one that revokes an unknown
// subject. The time of an event without a timestamp is now.
func readEvent(body []byte, now time.Time) (entries []Entry, ok bool) {
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &kind) != nil {
		return nil, false
	}
	meaning := events[kind.Type]
	if strings.HasPrefix(kind.Type, "subscription") {
		meaning = readerOf(payerChanged)
	}
	if meaning == nil {
		return nil, true
	}
	var e event
	if json.Unmarshal(body, &e) != nil {
		return nil, false
	}
	entry, ok := meaning(e.Data)
	entry.At = min(cmp.Or(e.Timestamp, now.UnixMilli()), now.Add(maxClockAhead).UnixMilli())
	switch {
	case ok && entry.validate() == nil:
		return []Entry{entry}, true
	case ok && entry.Effect != Gone && entry.Effect != GoneBefore:
		return nil, true // stale claims of an unknown subject
	}
	return nil, false
}
