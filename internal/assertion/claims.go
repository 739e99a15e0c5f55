package assertion

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// maxList bounds a list of permissions or scopes, in bytes; a longer one is left
// out, as it is of the identity headers.
const maxList = 4096

// claims are those of an assertion beside the registered ones of RFC 7519. What
// a principal does not have is absent.
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

// actor is who acts as the subject (RFC 8693 § 4.1).
type actor struct {
	Subject string `json:"sub"`
}

// subjectOf is the user, the machine, or the organization whose API key asks; ""
// for nobody.
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
	if length(p.OrgPermissions) <= maxList {
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

func length(list []string) (n int) {
	for _, s := range list {
		n += len(s) + 1
	}
	return n
}

// same reports whether an assertion about a is one about b. The same credential
// can come to say something else: Clerk is asked about opaque ones again.
func same(a, b *policy.Principal) bool {
	return a == b || a.TokenType == b.TokenType && a.UserID == b.UserID && a.MachineID == b.MachineID && a.SessionID == b.SessionID &&
		a.OrgID == b.OrgID && a.OrgSlug == b.OrgSlug && a.OrgRole == b.OrgRole && slices.Equal(a.OrgPermissions, b.OrgPermissions) &&
		a.Actor == b.Actor && a.ClientID == b.ClientID && slices.Equal(a.Scopes, b.Scopes) && a.ExpiresAt.Equal(b.ExpiresAt)
}
