package machine

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Authenticator authenticates machine tokens. JSON Web Tokens are verified by the
// instance's keys, opaque tokens by Clerk, whose answer is valid for [OpaqueTTL].
// It is safe for concurrent use.
type Authenticator struct {
	signed *jwt.MachineVerifier
	opaque *lookup
	compat bool
	// instanceKey reports that the instance's secret key is configured.
	instanceKey bool
}

// Options are what machine tokens are judged by.
type Options struct {
	// Signed verifies the tokens that are JSON Web Tokens.
	Signed *jwt.MachineVerifier
	// Audience are the values one of which an opaque OAuth access token must be for; empty
	// accepts any.
	Audience []string
	// APIURL is the base of Clerk's Backend API, without a slash at its end.
	APIURL string
	// SecretKey is the instance's, and MachineSecretKey asks about opaque M2M tokens in its
	// place. Without a key there is no asking.
	SecretKey, MachineSecretKey string
	// HTTPClient makes the calls, or lends its connections to them; it may be nil.
	HTTPClient *http.Client
	// ReferenceCompat decides as Clerk's own library does.
	ReferenceCompat bool
}

// New returns an authenticator. The error is that of an address that no
// secret key may travel to.
func New(o Options) (*Authenticator, error) {
	opaque, err := newLookup(o)
	if err != nil {
		return nil, err
	}
	return &Authenticator{signed: o.Signed, opaque: opaque, compat: o.ReferenceCompat, instanceKey: o.SecretKey != ""}, nil
}

// Bearer decides by the token of an Authorization field: by itself where it is a
// machine's, by session where it may be a session's. No call is made for a token
// of a type that accept does not hold; those that are count for the client that
// it came from.
func (m *Authenticator) Bearer(ctx context.Context, from netip.Addr, text string, accept policy.TokenTypes, now time.Time, session func(context.Context, string, time.Time) policy.AuthState) policy.AuthState {
	if accept.Has(policy.SessionToken) && !m.handles(text, accept) {
		return session(ctx, text, now)
	}
	return m.authenticate(ctx, from, text, accept, now)
}

// handles reports whether a token is not for the session verifier, which itself
// refuses machine tokens that are JSON Web Tokens. The reference leaves it all
// tokens where nothing else is taken, and has then another word for opaque ones.
func (m *Authenticator) handles(text string, accept policy.TokenTypes) bool {
	if opaqueType(text) != "" {
		return !m.compat || len(accept) != 1 || accept.Has(policy.AnyToken)
	}
	if !accept.Has(policy.M2MToken) && !accept.Has(policy.OAuthToken) {
		return false
	}
	_, signed := m.signed.Parse(text)
	return signed
}

// authenticate decides by one presented token. What is no machine token, or one
// of a type that accept does not hold, is refused without a call.
func (m *Authenticator) authenticate(ctx context.Context, from netip.Addr, text string, accept policy.TokenTypes, now time.Time) policy.AuthState {
	p, err := m.verify(ctx, from, text, accept, now)
	if err != nil {
		return m.refused(err)
	}
	return policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true}
}

func (m *Authenticator) verify(ctx context.Context, from netip.Addr, text string, accept policy.TokenTypes, now time.Time) (*policy.Principal, error) {
	if len(text) > unverified.MaxSize {
		return nil, jwt.NewError(policy.ReasonTokenInvalid, "the token is longer than 16 KiB")
	}
	kind, isSigned := opaqueType(text), false
	var signed jwt.MachineToken
	if kind == "" {
		if signed, isSigned = m.signed.Parse(text); isSigned {
			kind = signed.Type
		}
	}
	switch {
	case kind == "" || !accept.Has(kind):
		return nil, jwt.NewError(policy.ReasonTokenType, "not a token of an accepted type")
	case m.compat && !m.instanceKey && (kind != policy.M2MToken || len(accept) != 1 || accept.Has(policy.AnyToken)):
		return nil, jwt.NewError(policy.ReasonSecretKeyInvalid, "there is no secret key")
	case isSigned:
		return m.signed.Verify(ctx, signed, now)
	}
	return m.opaque.verify(ctx, from, text, kind, now)
}

// refused is the state of a machine token that does not hold, or of which that
// cannot be told. The reference tells no outage from a bad token.
func (m *Authenticator) refused(err error) policy.AuthState {
	state := policy.AuthState{Reason: policy.ReasonUnexpectedError, Presented: true, Cause: err}
	if e, ok := errors.AsType[*jwt.Error](err); ok {
		state.Reason = e.Reason
	}
	switch {
	case state.Reason == policy.ReasonCanceled:
		state.Status = policy.Unavailable
	case state.Reason.Status() != http.StatusServiceUnavailable:
	case !m.compat:
		state.Status = policy.Unavailable
	case state.Reason == policy.ReasonKeysUnavailable:
		state.Reason = policy.ReasonTokenVerification
	case state.Reason == policy.ReasonClerkUnavailable:
		state.Reason = policy.ReasonUnexpectedError
	}
	return state
}
