package revocation

import (
	"cmp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// event is the envelope of a Clerk event. Names of other cases are other names.
type event struct {
	Type      string         `json:"type"`
	Timestamp int64          `json:"timestamp"` // Unix milliseconds
	Data      jsontext.Value `json:"data"`
}

// What events say of whom they are about. Of each no more is read than is
// needed, so that nothing else in an event can keep it from being understood.
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

// meaning reads what an event means from what it is about. It reports false for
// what cannot be read.
type meaning func(data jsontext.Value) (Entry, bool)

// reads is the meaning of an event whose data is a T.
func reads[T any](entry func(T) Entry) meaning {
	return func(data jsontext.Value) (Entry, bool) {
		var d T
		if json.Unmarshal(data, &d) != nil {
			return Entry{}, false
		}
		return entry(d), true
	}
}

// events are what Clerk's events mean for tokens that are out. All others mean
// nothing. Locking bars signing in; whether sessions go on is Clerk's to say, so
// their tokens are only stale.
var events = map[string]meaning{
	"session.ended":   gone(Session),
	"session.removed": gone(Session),
	"session.revoked": gone(Session),

	"user.deleted": gone(User),
	"user.updated": reads(userChanged),

	"organizationMembership.deleted": reads(memberChanged),
	"organizationMembership.updated": reads(memberChanged),
	"organization.deleted":           reads(func(d subjectData) Entry { return Entry{Kind: Organization, ID: d.ID, Effect: Stale} }),

	"role.updated":       everybodyChanged,
	"role.deleted":       everybodyChanged,
	"permission.updated": everybodyChanged,
	"permission.deleted": everybodyChanged,

	"apiKey.revoked":   gone(Credential),
	"apiKey.deleted":   gone(Credential),
	"m2mToken.revoked": gone(Credential),
}

func gone(kind Kind) meaning {
	return reads(func(d subjectData) Entry { return Entry{Kind: kind, ID: d.ID, Effect: Gone} })
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

// payerChanged is what plans and features hang on.
func payerChanged(d payerData) Entry {
	if d.Payer.OrganizationID != "" {
		return Entry{Kind: Organization, ID: d.Payer.OrganizationID, Effect: Stale}
	}
	return Entry{Kind: User, ID: d.Payer.UserID, Effect: Stale}
}

// ahead is how far Clerk's clock may be ahead of ours.
const ahead = time.Minute

// readEvent returns what an event revokes. It reports false for what is no event,
// and for one that revokes without saying whom; one that revokes nothing is fine.
// What does not say when it happened did so now.
func readEvent(body []byte, now time.Time) (entries []Entry, ok bool) {
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &kind) != nil {
		return nil, false
	}
	meaning := events[kind.Type]
	if strings.HasPrefix(kind.Type, "subscription") {
		meaning = reads(payerChanged)
	}
	if meaning == nil {
		return nil, true
	}
	var e event
	if json.Unmarshal(body, &e) != nil {
		return nil, false
	}
	entry, ok := meaning(e.Data)
	entry.At = min(cmp.Or(e.Timestamp, now.UnixMilli()), now.Add(ahead).UnixMilli())
	switch {
	case ok && entry.validate() == nil:
		return []Entry{entry}, true
	case ok && entry.Effect != Gone && entry.Effect != GoneBefore:
		return nil, true // whose claims have changed is not said
	}
	return nil, false
}
