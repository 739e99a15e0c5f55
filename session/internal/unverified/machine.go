package unverified

import (
	"bytes"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// MachineSubject begins the ids of machines.
const MachineSubject = "mch_"

// oauthTypes are the values of header typ in OAuth access tokens (RFC 9068
// § 2.1).
var oauthTypes = []string{"at+jwt", "application/at+jwt"}

// MachineType returns the type of a JSON Web Token that a machine's subject or
// the header's typ tells, or "" for those of sessions and templates. The subject
// comes first, as with Clerk.
func (t *Token) MachineType() policy.TokenType {
	if !t.Compact {
		return ""
	}
	if strings.HasPrefix(claim.Text(t.Claims, "sub"), MachineSubject) {
		return policy.M2MToken
	}
	for _, typ := range oauthTypes {
		if t.Header["typ"] == typ {
			return policy.OAuthToken
		}
	}
	return ""
}

// HintsAtMachine reports whether text may be a machine's JSON Web Token, so that
// session tokens need not be decoded to tell that they are none.
func HintsAtMachine(text string) bool {
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, three := strings.Cut(rest, ".")
	if !three || signature == "" || len(text) > MaxSize {
		return false
	}
	return segmentHolds(header, "at+jwt") || segmentHolds(payload, MachineSubject)
}

// segmentHolds reports whether a segment may hold the text, plainly or in
// escapes.
func segmentHolds(segment, part string) bool {
	data, err := decodeSegment(segment, compat.Relaxations{})
	return err == nil && (bytes.Contains(data, []byte(part)) || bytes.IndexByte(data, '\\') >= 0)
}

// IsCompact reports whether text has the form of a JSON Web Token: three
// segments, not empty, of base64url characters.
func IsCompact(text string) bool {
	if strings.Count(text, ".") != 2 || strings.Contains(text, "..") || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
