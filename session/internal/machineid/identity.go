package machineid

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// Identity is what Clerk says of a machine token, or the token of itself.
type Identity struct {
	ID       string // of the key or token, never its secret
	Subject  string
	ClientID string
	Actor    string
	Scopes   []string
	Claims   map[string]any
	Issued   time.Time // zero where it is not known
	Expires  time.Time // zero for never
}

// Check wants ids that are ids, and a subject of the type's kind, since it
// becomes a user or a machine. The reference accepts any subject.
func (i *Identity) Check(kind policy.TokenType, r compat.Relaxations) error {
	if r.Claims {
		return nil
	}
	if !claim.IsIdentifier(i.Subject) {
		return errors.New("the subject is not an id")
	}
	if i.ID != "" && !claim.IsIdentifier(i.ID) {
		return errors.New("the token's id is not an id")
	}
	if i.ClientID != "" && !claim.IsIdentifier(i.ClientID) {
		return errors.New("the client's id is not an id")
	}
	if hasPrefix(i.Subject, kinds[kind].subjects) {
		return nil
	}
	return errors.New("the subject is not one that tokens of this type have")
}

func hasPrefix(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// Principal returns who the token speaks for; id is the fingerprint of the token. A machine
// token never carries a role, a permission, a feature or a plan: claims of those names stay
// claims.
func (i *Identity) Principal(kind policy.TokenType, id fingerprint.Sum) *policy.Principal {
	p := &policy.Principal{
		TokenType:    kind,
		CredentialID: i.ID,
		Actor:        i.Actor,
		Scopes:       i.Scopes,
		Claims:       i.Claims,
		IssuedAt:     i.Issued,
		ExpiresAt:    i.Expires,
		TokenDigest:  string(id[:]),
	}
	kinds[kind].assign(p, i)
	return p
}

// AcceptsAudience reports whether what an OAuth access token is for (RFC 8707 § 2) holds
// one of the accepted audiences: text, or a list of texts, none empty. Without accepted
// ones any token passes.
func AcceptsAudience(accepted []string, aud any) bool {
	if len(accepted) == 0 {
		return true
	}
	if single, ok := aud.(string); ok {
		aud = []any{single}
	}
	list, ok := aud.([]any)
	given := claim.Texts(list)
	return ok && len(given) == len(list) && !slices.Contains(given, "") &&
		slices.ContainsFunc(given, func(value string) bool { return slices.Contains(accepted, value) })
}

// subjectKind is what is particular to the subjects of one type of machine token.
type subjectKind struct {
	// subjects are what they begin with, and assign makes one that does the subject of p.
	subjects []string
	assign   func(p *policy.Principal, i *Identity)
}

// kinds are those of the types of machine tokens. No other is accepted.
var kinds = map[policy.TokenType]*subjectKind{
	policy.APIKey: {
		subjects: []string{"user_", "org_"},
		assign: func(p *policy.Principal, i *Identity) {
			if strings.HasPrefix(i.Subject, "user_") {
				p.UserID = i.Subject
			} else if strings.HasPrefix(i.Subject, "org_") {
				p.OrgID = i.Subject
			}
		},
	},
	policy.M2MToken: {
		subjects: []string{unverified.MachineSubject},
		assign:   func(p *policy.Principal, i *Identity) { p.MachineID = i.Subject },
	},
	policy.OAuthToken: {
		subjects: []string{"user_"},
		assign:   func(p *policy.Principal, i *Identity) { p.UserID, p.ClientID = i.Subject, i.ClientID },
	},
}

// SubjectsOf returns what the subjects of tokens of a type begin with.
func SubjectsOf(kind policy.TokenType) []string { return kinds[kind].subjects }
