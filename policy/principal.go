package policy

import (
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Principal is a user or a machine, as established from a verified credential. It is
// immutable once made, but for what it caches, because requests with the same token
// share it.
type Principal struct {
	TokenType TokenType

	// UserID is Clerk's user id (claim sub of a session token).
	UserID string
	// SessionID is the session's id (claim sid); empty for machine tokens.
	SessionID string
	// SessionStatus is claim sts: "active", or empty where the token has none.
	SessionStatus string

	// OrgID, OrgSlug and OrgRole describe the active organization; all empty
	// without one. OrgRole carries the "org:" prefix.
	OrgID   string
	OrgSlug string
	OrgRole string
	// OrgPermissions are the full keys ("org:docs:read") in token order.
	OrgPermissions []string

	// Features and Plans are the claims fea and pla.
	Features Entitlements
	Plans    Entitlements

	// Factors are the factor verification ages (claim fva).
	Factors FactorAges
	// Actor is the impersonator or agent acting as the user (claim act.sub);
	// empty without one.
	Actor string

	// IssuedAt, ExpiresAt: claims iat and exp; zero where absent.
	IssuedAt  time.Time
	ExpiresAt time.Time

	// TokenDigest is the SHA-256 of the credential: it tells tokens apart
	// without being one.
	TokenDigest string

	// CredentialID is the id of the API key or machine token (ak_..., mt_...,
	// oat_..., or claim jti), which is not its secret; empty for session tokens.
	CredentialID string
	// MachineID, ClientID and Scopes describe machine tokens.
	MachineID string
	ClientID  string
	Scopes    []string

	// Claims are all claims of the token, as decoded JSON.
	Claims map[string]any

	// identity caches the identity headers made for this principal.
	identity atomic.Pointer[identityHeaders]
	// cleared is for [Principal.Cleared].
	cleared atomic.Uint64
}

// Cleared returns the last number given to [Principal.Clear]: [Revocations] that
// number their states keep there in which of them the principal was not revoked.
func (p *Principal) Cleared() uint64 { return p.cleared.Load() }

// Clear stores the number of a state. Numbers are unique in a process, and not 0.
func (p *Principal) Clear(state uint64) { p.cleared.Store(state) }

// LogValue is the attributes that p has, but for lists. It keeps claims out of logs.
func (p *Principal) LogValue() slog.Value {
	if p == nil {
		return slog.Value{}
	}
	attrs := make([]slog.Attr, 0, len(attributes))
	for i := range attributes {
		if text := attributes[i].Text(p); text != "" && !attributes[i].IsList() {
			attrs = append(attrs, slog.String(attributes[i].Name, text))
		}
	}
	return slog.GroupValue(attrs...)
}

// Entitlements are the features or plans of a session: the comma separated
// scope:slug elements of claim fea or pla. The zero value grants nothing.
type Entitlements struct {
	// Org and User are the slugs granted to the active organization and to
	// the user.
	Org  []string
	User []string
	// Malformed reports an element without a scope. Clerk then fails the whole
	// check, and so do we.
	Malformed bool
}

// ParseEntitlements reads claim fea or pla. Scopes are "o", "u", or both; an
// element with another scope grants nothing.
func ParseEntitlements(claim string) Entitlements {
	var e Entitlements
	if claim == "" {
		return e
	}
	for element := range strings.SplitSeq(claim, ",") {
		scope, slug, ok := strings.Cut(strings.TrimSpace(element), ":")
		if !ok {
			e.Malformed = true
			continue
		}
		switch scope {
		case "o":
			e.Org = append(e.Org, slug)
		case "u":
			e.User = append(e.User, slug)
		case "ou", "uo":
			e.Org = append(e.Org, slug)
			e.User = append(e.User, slug)
		}
	}
	return e
}

// has answers Clerk's has({feature}) and has({plan}) for one asked value.
func (e Entitlements) has(asked entitlement) bool {
	if e.Malformed {
		return false
	}
	return asked.org && slices.Contains(e.Org, asked.slug) ||
		asked.user && slices.Contains(e.User, asked.slug)
}

// FactorAges are the minutes since each factor was verified, as of the minting
// of the token (claim fva). The zero value is "not known", which is stale.
type FactorAges struct {
	// First and Second are minutes; -1 means not enrolled or never verified.
	First, Second float64
	// Known is set when the token carried a well-formed pair.
	Known bool
}
