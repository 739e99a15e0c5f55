package jwt

import (
	"context"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of RS256, RS384 and RS512
	_ "crypto/sha512"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// Error says why a token is not accepted. It never contains text of the token.
type Error struct {
	// Reason is why, in Clerk's words where it has one.
	Reason policy.Reason
	// Err is the cause, for the log.
	Err error
}

// Error returns the reason and its cause.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason of an [Error], and "" for everything else.
func ReasonOf(err error) policy.Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// NewError returns an [Error] with a cause in words, which contain no text of the token.
func NewError(reason policy.Reason, why string) error {
	return &Error{reason, errors.New(why)}
}

// Verifier verifies session tokens. It is safe for concurrent use.
type Verifier struct {
	expected Expected
	keys     KeySet
	cache    *Cache
	// header is that of the last token that verified.
	header atomic.Pointer[unverified.KnownHeader]
}

// NewVerifier returns a verifier that accepts the tokens that are as expected and signed
// by one of the keys. The cache may be nil, and may be shared with verifiers that expect
// something else or have other keys: it has the claims of tokens, never that one was
// accepted.
func NewVerifier(expected Expected, keys KeySet, cache *Cache) *Verifier {
	return &Verifier{expected: expected.resolved(), keys: keys, cache: cache}
}

// Verify returns the principal that a session token names, as of now. The error
// is an *[Error].
//
// Cheap checks come first, and none of them waits for a key. Verify looks at the token
// alone: not at cookies that say that the browser has signed out, which package session
// does, nor at sessions that were revoked after the token was issued.
func (v *Verifier) Verify(ctx context.Context, text string, now time.Time) (*policy.Principal, error) {
	if len(text) > unverified.MaxSize {
		return nil, NewError(policy.ReasonTokenInvalid, "the token is longer than 16 KiB")
	}
	id := fingerprint.Of(text)
	if known := v.cache.get(id); known != nil && v.holds(ctx, known, now) {
		if err := v.expected.checkClaims(known.principal.Claims, now); err != nil {
			return nil, err
		}
		return known.principal, nil
	}
	header := v.header.Load()
	t, err := unverified.Decode(text, v.expected.relaxed, header)
	if err != nil {
		return nil, undecodable(err)
	}
	if t.NullHeader {
		return nil, undecodable(claim.ErrNull)
	}
	key, err := v.findKey(ctx, t, checkHeader(t, v.expected.relaxed), now)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(t, key); err != nil {
		return nil, err
	}
	if t.NullClaims {
		return nil, undecodable(claim.ErrNull)
	}
	if err := v.expected.checkClaims(t.Claims, now); err != nil {
		return nil, err
	}
	principal, err := readClaims(t.Claims, v.expected.relaxed)
	if err != nil {
		return nil, unreadable(err, v.expected.relaxed)
	}
	principal.TokenDigest = string(id[:])
	if fresh := t.Remember(header); fresh != header {
		v.header.Store(fresh)
	}
	kid, _ := t.Kid(v.expected.relaxed) // it found the key
	v.cache.put(id, &verified{principal, kid, key, v.expected.relaxed, len(text)})
	return principal, nil
}

// undecodable is a token that cannot be taken apart. JSON's null in it is a fault
// to the reference.
func undecodable(err error) error {
	if errors.Is(err, claim.ErrNull) {
		return &Error{policy.ReasonUnexpectedError, err}
	}
	return &Error{policy.ReasonTokenInvalid, err}
}

// ErrUnusable says that a token is valid and its claims contradict each other. With
// [Expected.ReferenceCompat] alone it is told from other errors: Clerk's library has such
// a session, and fails on it when it is asked who that is.
var ErrUnusable = errors.New("jwt: the claims contradict each other")

// unreadable is a token whose claims contradict each other.
func unreadable(err error, r compat.Relaxations) error {
	if r.Outages {
		return &Error{policy.ReasonUnexpectedError, fmt.Errorf("%w: %w", ErrUnusable, err)}
	}
	return &Error{policy.ReasonTokenVerification, err}
}

// holds reports whether what the cache knows of a token is what this verifier
// would read from it: the same key is still in force, and the same strictness.
func (v *Verifier) holds(ctx context.Context, known *verified, now time.Time) bool {
	if known.relaxed != v.expected.relaxed {
		return false
	}
	key, err := v.keys.Key(ctx, known.kid, now)
	return err == nil && key.equal(known.key)
}

// findKey returns the key that the header names, unless something is wrong with
// the header.
func (v *Verifier) findKey(ctx context.Context, t *unverified.Token, headerErr error, now time.Time) (*Key, error) {
	if headerErr != nil && !v.expected.relaxed.Header {
		return nil, headerErr
	}
	kid, ok := t.Kid(v.expected.relaxed)
	key, err := v.keys.Key(ctx, kid, now)
	switch {
	case !ok && v.expected.relaxed.Keys && (err == nil || errors.Is(err, ErrUnknownKey)):
		return nil, &Error{policy.ReasonUnexpectedError, errNoKeyName}
	case errors.Is(err, ErrUnknownKey):
		return nil, &Error{policy.ReasonKidMismatch, err}
	case err != nil && ctx.Err() != nil:
		return nil, &Error{policy.ReasonCanceled, err}
	case err != nil && v.expected.relaxed.Outages:
		return nil, &Error{referenceOutage(err), err}
	case err != nil:
		return nil, &Error{policy.ReasonKeysUnavailable, err}
	case headerErr != nil:
		return nil, headerErr
	case !key.verifies(t.Algorithm()):
		return nil, NewError(policy.ReasonTokenVerification, "the key is not for the token's algorithm")
	}
	return key, nil
}

// errNoKeyName is a kid that the reference fails on, wherever it looks for the key.
var errNoKeyName = errors.New("header kid is nothing that a text can be made of")

// hashes are those of the algorithms that any key of ours may verify (RFC 7518
// § 3.3).
var hashes = map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}

// checkSignature verifies RSASSA-PKCS1-v1_5 over the segments as received. The
// header was checked, so that the algorithm is one of ours.
func checkSignature(t *unverified.Token, key *Key) error {
	hash, ok := hashes[t.Algorithm()]
	if !ok {
		return NewError(policy.ReasonTokenAlgorithm, "the algorithm is not RS256")
	}
	h := hash.New()
	h.Write([]byte(t.Signed))
	if err := rsa.VerifyPKCS1v15(key.Public, hash, h.Sum(nil), t.Signature); err != nil {
		return &Error{policy.ReasonTokenSignature, err}
	}
	return nil
}
