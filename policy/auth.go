package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TokenType is the kind of credential a principal was established by, in
// Clerk's words.
type TokenType string

// The token types, as Clerk names them.
const (
	SessionToken TokenType = "session_token"
	APIKey       TokenType = "api_key"
	M2MToken     TokenType = "m2m_token"
	OAuthToken   TokenType = "oauth_token"
)

// KnownTokenTypes lists the types of tokens, in the order in which they are named
// to people.
func KnownTokenTypes() []TokenType { return []TokenType{SessionToken, APIKey, M2MToken, OAuthToken} }

// AnyToken stands in a rule's accept list for every token type.
const AnyToken TokenType = "any"

// TokenTypes is a set of token types. The empty set accepts nothing; a rule
// that says nothing accepts session tokens.
type TokenTypes []TokenType

// Has reports whether the set accepts a token of type t.
func (ts TokenTypes) Has(t TokenType) bool {
	return slices.Contains(ts, t) || slices.Contains(ts, AnyToken)
}

// UnmarshalJSON reads one token type or a list of them.
func (ts *TokenTypes) UnmarshalJSON(data []byte) error {
	var list StringList
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	known := texts(append(KnownTokenTypes(), AnyToken))
	*ts = make(TokenTypes, 0, len(list))
	for _, s := range list {
		if !slices.Contains(known, s) {
			return fmt.Errorf("unknown token type %q; known are %s", s, strings.Join(known, ", "))
		}
		*ts = append(*ts, TokenType(s))
	}
	return nil
}

// AuthStatus is the outcome of authentication. The zero value is SignedOut.
type AuthStatus uint8

// The authentication outcomes.
const (
	// SignedOut: there is no valid credential.
	SignedOut AuthStatus = iota
	// SignedIn: AuthState.Principal is set.
	SignedIn
	// Handshake: the browser must be sent to Clerk's Frontend API to have its
	// session renewed; AuthState.Headers has the Location.
	Handshake
	// Unavailable: the credential could not be checked, for lack of keys or of an
	// answer from Clerk.
	Unavailable
)

// AuthState is what authentication established about a request.
type AuthState struct {
	Status AuthStatus
	// Reason says why the state is not SignedIn, in Clerk's words where it has
	// one.
	Reason Reason
	// Principal is who is asking: set exactly when Status is SignedIn.
	Principal *Principal
	// Presented reports that the request carried a credential, valid or not.
	Presented bool
	// Headers go onto the response, whatever the decision: renewed cookies, or
	// the Location and cookies of a handshake.
	Headers []Header
	// Forward is what the upstream is to receive in place of what the client
	// sent; nil leaves the request as it is.
	Forward *Forward
	// Cause is private: it is for the log and never reaches the client.
	Cause error
}

// Forward keeps an upstream in step with credentials that were renewed on the
// way: it sees the new cookies, and nothing of how they came to be.
type Forward struct {
	// Cookie is the Cookie field in place of all that the client sent; empty
	// removes them.
	Cookie string
	// RemoveQuery names the parameters of the query that end here.
	RemoveQuery []string
}

// Authenticator establishes who is asking. Implementations are safe for
// concurrent use, never look at a rule, and report every failure as a state.
type Authenticator interface {
	// Authenticate reads the credentials of r, as of now. The scheme, the target and
	// the address of r are the client's, also where a proxy changed them. It makes no
	// network call for a token of a type that is not in accept.
	Authenticate(ctx context.Context, r *Request, accept TokenTypes, now time.Time) AuthState
}

// Renewer is an Authenticator that can have a browser fetch a new token, where the
// one it sent is valid but its claims are stale.
type Renewer interface {
	// Renew returns a handshake where a browser can be redirected for the request, and
	// otherwise SignedOut with that reason.
	Renew(ctx context.Context, r *Request, reason Reason, now time.Time) AuthState
}

// Revocations knows which sessions and grants have ended before their tokens
// did. Implementations are safe for concurrent use and answer from memory.
type Revocations interface {
	// Revoked returns the reason why the principal is no longer valid, or "". With
	// [ReasonClaimsStale] it is, but this token is not.
	Revoked(p *Principal, now time.Time) Reason
}

// Sessions looks up facts about a session that its token does not carry.
// Implementations are safe for concurrent use, cache and bound their calls.
type Sessions interface {
	// CreatedAt returns when the session of that id began.
	CreatedAt(ctx context.Context, sessionID string) (time.Time, error)
}
