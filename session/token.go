package session

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// maxToken bounds a token, in bytes. Browsers keep cookies up to 4 KiB.
const maxToken = 16 << 10

// token is a JSON Web Token in compact serialization (RFC 7515 § 7.1), taken
// apart and decoded. Nothing in it is verified.
type token struct {
	header    map[string]any
	claims    map[string]any
	signed    string // header and payload as received: what the signature covers
	signature []byte

	// headless and null are JSON's null for header and claims, which the
	// reference decodes.
	headless, null bool
	// compact reports the form that the reference wants of a machine's tokens.
	compact bool
}

// knownHeader is a header decoded before. Those of an instance's tokens are all
// the same, so that one is worth remembering.
type knownHeader struct {
	segment string
	header  map[string]any // never changed
}

// decodeToken takes a token apart. Nothing is trimmed. known may be nil.
func decodeToken(text string, r compat.Relaxations, known *knownHeader) (*token, error) {
	if len(text) > maxToken {
		return nil, errors.New("the token is longer than 16 KiB")
	}
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, three := strings.Cut(rest, ".")
	if !three || strings.Contains(signature, ".") {
		return nil, errors.New("the token does not have three segments")
	}
	t := &token{signed: text[:len(header)+1+len(payload)], compact: !r.Spelling || isCompact(text)}
	var err error
	if known != nil && known.segment == header {
		t.header = known.header
	} else if t.header, err = decodeJSONSegment(header, r); err != nil && !errors.Is(err, errNull) {
		return nil, err
	}
	t.headless = t.header == nil
	t.claims, err = decodeJSONSegment(payload, r)
	if t.null = errors.Is(err, errNull); err != nil && !t.null {
		return nil, err
	}
	if t.signature, err = decodeSegment(signature, r); err != nil {
		return nil, err
	}
	return t, nil
}

// remember returns what is worth keeping of the token's header, or known where
// that says it already.
func (t *token) remember(known *knownHeader) *knownHeader {
	segment, _, _ := strings.Cut(t.signed, ".")
	if known != nil && known.segment == segment {
		return known
	}
	return &knownHeader{strings.Clone(segment), t.header}
}

func decodeJSONSegment(segment string, r compat.Relaxations) (map[string]any, error) {
	data, err := decodeSegment(segment, r)
	if err != nil {
		return nil, err
	}
	return decodeObject(data, r)
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
