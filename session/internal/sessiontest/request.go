package sessiontest

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// Fields makes header fields of alternating names and values.
func Fields(pairs ...string) []policy.Header {
	var out []policy.Header
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, policy.Header{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// Navigation is a browser loading a page, with these cookies and fields.
func Navigation(target, cookies string, more ...string) *policy.Request {
	return &policy.Request{
		Method: "GET", Scheme: "https", Host: "app.example.com", Target: target,
		Headers: append(Fields("Sec-Fetch-Dest", "document", "Accept", "text/html", "Cookie", cookies), Fields(more...)...),
	}
}

// HeaderOf is the first value of a header, or "".
func HeaderOf(headers []policy.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// HandshakeAnswer is the signed answer to a handshake.
func HandshakeAnswer(t testing.TB, claims object) string {
	t.Helper()
	return mint.TokenOf(t, mint.Header, claims)
}

// Sent is the cookie of a browser that was sent to a handshake.
const Sent = "__Host-clerkgate-handshake=1"
