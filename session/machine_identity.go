package session

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

// machineIdentity is what Clerk says of a machine token, or the token of itself.
type machineIdentity struct {
	id       string // of the key or token, never its secret
	subject  string
	clientID string
	actor    string
	scopes   []string
	claims   map[string]any
	issued   time.Time
	expires  time.Time
}

// check wants ids that are ids, and a subject of the type's kind, since it
// becomes a user or a machine. The reference takes any subject.
func (i *machineIdentity) check(kind policy.TokenType, r compat.Relaxations) error {
	if r.Claims {
		return nil
	}
	if !isIdentifier(i.subject) {
		return errors.New("the subject is not an id")
	}
	if i.id != "" && !isIdentifier(i.id) {
		return errors.New("the token's id is not an id")
	}
	if i.clientID != "" && !isIdentifier(i.clientID) {
		return errors.New("the client's id is not an id")
	}
	if hasPrefix(i.subject, machineTypes[kind].subjects) {
		return nil
	}
	return errors.New("the subject is not one that tokens of this type have")
}

func hasPrefix(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// principal returns who the token speaks for. A machine token never carries a
// role, a permission, a feature or a plan: claims of those names stay claims.
func (i *machineIdentity) principal(kind policy.TokenType, id fingerprint.Sum) *policy.Principal {
	p := &policy.Principal{
		TokenType:    kind,
		CredentialID: i.id,
		Actor:        i.actor,
		Scopes:       i.scopes,
		Claims:       i.claims,
		IssuedAt:     i.issued,
		ExpiresAt:    i.expires,
		TokenDigest:  string(id[:]),
	}
	machineTypes[kind].assign(p, i)
	return p
}

// oauthAudience wants one of the configured audiences in what an OAuth access
// token is for (RFC 8707 § 2): text, or a list of texts, none empty. Without a
// configured audience any token passes.
func (r *Rules) oauthAudience(aud any) bool {
	if len(r.Audience) == 0 {
		return true
	}
	if single, ok := aud.(string); ok {
		aud = []any{single}
	}
	list, ok := aud.([]any)
	given := texts(list)
	for _, value := range given {
		if value == "" {
			return false
		}
	}
	return ok && len(given) == len(list) && r.audience(aud) && len(given) > 0
}
