package machine

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// No text but the token itself is a machine's, neither under the keys nor with
// Clerk, which knows one token. The text is the token with a piece replaced.
func FuzzMachineToken(f *testing.F) {
	tokens := []string{mint.M2M(f, nil, nil), mint.OAuth(f, nil, nil), testAPIKey}
	for i, token := range tokens {
		f.Add(uint8(i), uint16(0), uint16(0), "")
		f.Add(uint8(i), uint16(len(token)), uint16(0), "=")
		f.Add(uint8(i), uint16(len(token)-1), uint16(1), "A")
		f.Add(uint8(i), uint16(0), uint16(3), "mt_")
		f.Add(uint8(i), uint16(strings.IndexByte(token, '.')+1), uint16(0), "\n")
	}
	m := testMachines(f, &knowing{token: testAPIKey, answer: string(sessiontest.APIAnswer(f, policy.APIKey, nil))}, nil)
	// Clerk is asked about the token it knows while it may be: what is tried after that
	// spends the calls of strangers.
	if got := m.authenticate(f.Context(), netip.Addr{}, testAPIKey, anyToken, now); got.Status != policy.SignedIn {
		f.Fatalf("%v for %s", got.Status, got.Reason)
	}
	f.Fuzz(func(t *testing.T, which uint8, from, length uint16, piece string) {
		token := tokens[int(which)%len(tokens)]
		start := min(int(from), len(token))
		text := token[:start] + piece + token[min(start+int(length), len(token)):]
		got := m.authenticate(t.Context(), netip.Addr{}, text, anyToken, now)
		if (got.Status == policy.SignedIn) != slices.Contains(tokens, text) || (got.Principal != nil) != (got.Status == policy.SignedIn) {
			t.Fatalf("%q: %v for %s (%v)", text, got.Status, got.Reason, got.Cause)
		}
	})
}

// Whatever Clerk answers, nobody is named whom the answer does not vouch for,
// and whoever is named is safe to put into a header.
func FuzzMachineAnswer(f *testing.F) {
	for _, kind := range []policy.TokenType{policy.APIKey, policy.M2MToken, policy.OAuthToken} {
		f.Add(200, sessiontest.APIAnswer(f, kind, nil))
		f.Add(200, sessiontest.APIAnswer(f, kind, object{"revoked": true}))
		f.Add(200, sessiontest.APIAnswer(f, kind, object{"expiration": now.Unix() + 1, "claims": object{"role": "admin"}, "act": object{"sub": "user_1"}}))
		f.Add(404, sessiontest.APIAnswer(f, kind, nil))
	}
	f.Add(200, []byte(`{"id":"ak_1","subject":"user_1","subject":"user_2"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		transport := sessiontest.RoundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})
		m := testMachines(t, transport, nil)
		for _, token := range []string{testAPIKey, testM2M, testOAuth} {
			got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now)
			if got.Status != policy.SignedIn {
				if got.Principal != nil || got.Reason == "" {
					t.Fatalf("%v for %q with a principal %v", got.Status, got.Reason, got.Principal)
				}
				continue
			}
			expectVouched(t, got.Principal, status, body)
		}
	})
}

func expectVouched(t *testing.T, p *policy.Principal, status int, body []byte) {
	t.Helper()
	said, err := claim.DecodeObject(body, compat.Relaxations{})
	if err != nil || status != http.StatusOK {
		t.Fatalf("taken on the word of %d %q", status, body)
	}
	if said["revoked"] == true || said["expired"] == true || !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
		t.Fatalf("taken though %s", body)
	}
	subject := p.UserID + p.OrgID + p.MachineID
	if subject == "" || subject != said["subject"] || !claim.IsIdentifier(subject) || p.CredentialID != said["id"] {
		t.Fatalf("%q is not the subject of %s", subject, body)
	}
	if p.OrgRole != "" || p.OrgPermissions != nil || p.SessionID != "" || p.Features.Org != nil || p.Plans.User != nil || p.Factors.Known {
		t.Fatalf("more than an answer can say: %+v", p)
	}
}

func BenchmarkMachineTokens(b *testing.B) {
	m := testMachines(b, &knowing{token: testAPIKey, answer: string(sessiontest.APIAnswer(b, policy.APIKey, nil))}, nil)
	for name, token := range map[string]string{"opaque": testAPIKey, "jwt": mint.M2M(b, nil, nil)} {
		b.Run(name+"-cached", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := m.authenticate(b.Context(), netip.Addr{}, token, anyToken, now); got.Status != policy.SignedIn {
					b.Fatal(got.Cause)
				}
			}
		})
	}
	session := mint.Token(b, nil)
	b.Run("tell-a-session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if m.handles(session, anyToken) {
				b.Fatal("a session's token is taken for a machine's")
			}
		}
	})
}
