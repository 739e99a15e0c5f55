package unverified

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// MaxSize bounds a token, in bytes. Browsers keep cookies up to 4 KiB.
const MaxSize = 16 << 10

// The classes of tokens that one instance key signs (header cat).
const (
	CategorySession  = "cl_B7d4PD111AAA"
	CategoryTemplate = "cl_B7d4PD222AAA"
	CategoryMachine  = "cl_B7d4PD333AAA"
	CategoryIgnore   = "cl_I7d4PD111III"
)

// Token is a JSON Web Token in compact serialization (RFC 7515 § 7.1), taken
// apart and decoded. Nothing in it is verified.
type Token struct {
	Header    map[string]any // never changed: tokens share it
	Claims    map[string]any
	Signed    string // header and payload as received: what the signature covers
	Signature []byte

	// NullHeader and NullClaims are JSON's null for header and claims, which the
	// reference decodes.
	NullHeader, NullClaims bool
	// Compact reports the form that the reference wants of a machine's tokens.
	Compact bool
}

// KnownHeader is a header decoded before. Those of an instance's tokens are all
// the same, so that one is worth remembering.
type KnownHeader struct {
	segment string
	header  map[string]any // never changed
}

// Decode takes a token apart. Nothing is trimmed. The header known from another token is
// not decoded again; known may be nil. Errors hold no text of the token.
func Decode(text string, r compat.Relaxations, known *KnownHeader) (*Token, error) {
	if len(text) > MaxSize {
		return nil, errors.New("the token is longer than 16 KiB")
	}
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, three := strings.Cut(rest, ".")
	if !three || strings.Contains(signature, ".") {
		return nil, errors.New("the token does not have three segments")
	}
	t := &Token{Signed: text[:len(header)+1+len(payload)], Compact: !r.Spelling || IsCompact(text)}
	var err error
	if known != nil && known.segment == header {
		t.Header = known.header
	} else if t.Header, err = decodeJSONSegment(header, r); err != nil && !errors.Is(err, claim.ErrNull) {
		return nil, err
	}
	t.NullHeader = t.Header == nil
	t.Claims, err = decodeJSONSegment(payload, r)
	if t.NullClaims = errors.Is(err, claim.ErrNull); err != nil && !t.NullClaims {
		return nil, err
	}
	if t.Signature, err = decodeSegment(signature, r); err != nil {
		return nil, err
	}
	return t, nil
}

// Remember returns what is worth keeping of the token's header, or known where
// that says it already.
func (t *Token) Remember(known *KnownHeader) *KnownHeader {
	segment, _, _ := strings.Cut(t.Signed, ".")
	if known != nil && known.segment == segment {
		return known
	}
	return &KnownHeader{strings.Clone(segment), t.Header}
}

func decodeJSONSegment(segment string, r compat.Relaxations) (map[string]any, error) {
	data, err := decodeSegment(segment, r)
	if err != nil {
		return nil, err
	}
	return claim.DecodeObject(data, r)
}

// canonical is unpadded base64url whose unused bits are zero.
var canonical = base64.RawURLEncoding.Strict()

// decodeSegment reads one segment: canonical unpadded base64url, so that a token
// has one spelling.
func decodeSegment(segment string, r compat.Relaxations) ([]byte, error) {
	if r.Spelling {
		segment = strings.TrimRight(segment, "=")
	} else if segment == "" {
		return nil, errors.New("a segment of the token is empty")
	}
	// The decoder skips line breaks.
	if strings.ContainsAny(segment, "\r\n") {
		return nil, errors.New("a segment of the token is not base64url")
	}
	data, err := canonical.DecodeString(segment)
	if err != nil {
		return nil, errors.New("a segment of the token is not base64url")
	}
	return data, nil
}

// IsSession tells session tokens from the machine tokens and template tokens
// that the same key signs.
func (t *Token) IsSession() bool {
	if t.MachineType() != "" {
		return false
	}
	category, present := t.Header["cat"]
	return !present || category == CategorySession || category == CategoryIgnore
}

// Algorithm returns header alg, or "" where it is not text.
func (t *Token) Algorithm() string {
	alg, _ := t.Header["alg"].(string)
	return alg
}

// Kid returns header kid (RFC 7515 § 4.1.4), or "" where there is none, and false where it is not
// text. The reference takes for text whatever it can make one of.
func (t *Token) Kid(r compat.Relaxations) (kid string, ok bool) {
	if r.Keys {
		return compat.JSTextOf(t.Header, "kid")
	}
	named, present := t.Header["kid"]
	kid, ok = named.(string)
	return kid, ok || !present
}
