package revocation

import (
	"cmp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// event is the envelope of a Clerk event. Names of other cases are other names.
type event struct {
	Type      string `json:"type"`
	Timestamp int64  `json:"timestamp"` // Unix milliseconds
	Data      data   `json:"data"`
}

// data holds what events say of whom they are about.
type data struct {
	ID           string       `json:"id"`
	Banned       bool         `json:"banned"`
	Locked       bool         `json:"locked"`
	Organization organization `json:"organization"`
	PublicUser   publicUser   `json:"public_user_data"`
	Payer        *payer       `json:"payer"`
}

type organization struct {
	ID string `json:"id"`
}

type publicUser struct {
	UserID string `json:"user_id"`
}

type payer struct {
	UserID         string `json:"user_id"`
	OrganizationID string `json:"organization_id"`
}

// events are what Clerk's events mean for tokens that are out. All others mean
// nothing. Locking bars signing in; whether sessions go on is Clerk's to say, so
// their tokens are only stale.
var events = map[string]func(*data) []Entry{
	"session.ended":   sessionGone,
	"session.removed": sessionGone,
	"session.revoked": sessionGone,

	"user.deleted": func(d *data) []Entry { return []Entry{{Kind: User, ID: d.ID, Effect: Gone}} },
	"user.updated": func(d *data) []Entry {
		switch {
		case d.Banned:
			return []Entry{{Kind: User, ID: d.ID, Effect: GoneBefore}}
		case d.Locked:
			return []Entry{{Kind: User, ID: d.ID, Effect: Stale}}
		}
		return nil
	},

	"organizationMembership.deleted": memberChanged,
	"organizationMembership.updated": memberChanged,
	"organization.deleted":           func(d *data) []Entry { return []Entry{{Kind: Organization, ID: d.ID, Effect: Stale}} },

	"role.updated":       everybodyChanged,
	"role.deleted":       everybodyChanged,
	"permission.updated": everybodyChanged,
	"permission.deleted": everybodyChanged,

	"apiKey.revoked":   credentialGone,
	"apiKey.deleted":   credentialGone,
	"m2mToken.revoked": credentialGone,
}

func sessionGone(d *data) []Entry { return []Entry{{Kind: Session, ID: d.ID, Effect: Gone}} }

func credentialGone(d *data) []Entry { return []Entry{{Kind: Credential, ID: d.ID, Effect: Gone}} }

func memberChanged(d *data) []Entry {
	return []Entry{{Kind: Member, ID: d.PublicUser.UserID, Of: d.Organization.ID, Effect: Stale}}
}

func everybodyChanged(*data) []Entry { return []Entry{{Kind: Everybody, Effect: Stale}} }

// payerChanged is what plans and features hang on.
func payerChanged(d *data) []Entry {
	switch {
	case d.Payer == nil:
		return nil
	case d.Payer.OrganizationID != "":
		return []Entry{{Kind: Organization, ID: d.Payer.OrganizationID, Effect: Stale}}
	}
	return []Entry{{Kind: User, ID: d.Payer.UserID, Effect: Stale}}
}

// ahead is how far Clerk's clock may be ahead of ours.
const ahead = time.Minute

// readEvent returns what an event revokes. It reports false for what is no event
// or says too little; one that revokes nothing is fine. What does not say when it
// happened did so now.
func readEvent(body []byte, now time.Time) (entries []Entry, ok bool) {
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &kind) != nil {
		return nil, false
	}
	meaning := events[kind.Type]
	if strings.HasPrefix(kind.Type, "subscription") {
		meaning = payerChanged
	}
	if meaning == nil {
		return nil, true
	}
	var e event
	if json.Unmarshal(body, &e) != nil {
		return nil, false
	}
	entries = meaning(&e.Data)
	for i := range entries {
		entries[i].At = min(cmp.Or(e.Timestamp, now.UnixMilli()), now.Add(ahead).UnixMilli())
		if entries[i].validate() != nil {
			return nil, false
		}
	}
	return entries, true
}
