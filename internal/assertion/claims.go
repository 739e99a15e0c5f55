package assertion

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// maxList bounds a list of permissions or scopes, in bytes. A longer one is left out, as
// in the identity headers.
const maxList = 4096

// claims are the claims of an assertion beside the registered ones (RFC 7519 § 4.1).
// What a principal does not have is absent.
type claims struct {
	TokenType   policy.TokenType `json:"token_type"`
	SessionID   string           `json:"sid,omitempty"`
	OrgID       string           `json:"org_id,omitempty"`
	OrgSlug     string           `json:"org_slug,omitempty"`
	OrgRole     string           `json:"org_role,omitempty"`
	Permissions []string         `json:"org_permissions,omitempty"`
	Actor       *actor           `json:"act,omitempty"`
	ClientID    string           `json:"client_id,omitempty"`
	// Scope is written as in RFC 8693 § 4.2.
	Scope string `json:"scope,omitempty"`
}

// actor is the value of the claim act: who impersonates the subject (RFC 8693 § 4.1).
type actor struct {
	Subject string `json:"sub"`
}

// subjectOf returns the claim sub: the user, the machine, or the organization of an API
// key; "" if there is none.
func subjectOf(p *policy.Principal) string {
	if p.TokenType == policy.APIKey {
		return cmp.Or(p.UserID, p.OrgID)
	}
	return cmp.Or(p.UserID, p.MachineID)
}

func claimsOf(p *policy.Principal) claims {
	c := claims{
		TokenType: p.TokenType, SessionID: p.SessionID, OrgID: p.OrgID, OrgSlug: p.OrgSlug, OrgRole: p.OrgRole,
		ClientID: p.ClientID, Scope: strings.Join(p.Scopes, " "),
	}
	if joinedLength(p.OrgPermissions) <= maxList {
		c.Permissions = p.OrgPermissions
	}
	if len(c.Scope) > maxList {
		c.Scope = ""
	}
	if p.Actor != "" {
		c.Actor = &actor{p.Actor}
	}
	return c
}

func joinedLength(list []string) (n int) {
	for _, s := range list {
		n += len(s) + 1
	}
	return n
}

// sameClaims reports whether assertions about a and b have the same claims. Those of one
// credential can change: opaque tokens are verified by Clerk again.
func sameClaims(a, b *policy.Principal) bool {
	return a == b || a.TokenType == b.TokenType && a.UserID == b.UserID && a.MachineID == b.MachineID && a.SessionID == b.SessionID &&
		a.OrgID == b.OrgID && a.OrgSlug == b.OrgSlug && a.OrgRole == b.OrgRole && slices.Equal(a.OrgPermissions, b.OrgPermissions) &&
		a.Actor == b.Actor && a.ClientID == b.ClientID && slices.Equal(a.Scopes, b.Scopes) && a.ExpiresAt.Equal(b.ExpiresAt)
}
