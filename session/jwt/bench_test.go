package jwt

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

func BenchmarkVerify(b *testing.B) {
	token := mint.Token(b, nil)
	forged := mint.Signed(b, mint.OtherKey(), mint.JSONSegment(b, mint.Header), mint.JSONSegment(b, mint.Claims()))
	b.Run("cached", func(b *testing.B) { benchmarkVerify(b, testVerifier(b), token, true) })
	b.Run("first-seen", func(b *testing.B) { benchmarkFirstSeen(b, testVerifier(b), token) })
	b.Run("forged", func(b *testing.B) { benchmarkVerify(b, testVerifier(b), forged, false) })
	b.Run("raw-rsa", func(b *testing.B) { benchmarkRSA(b, token) })
}

func benchmarkVerify(b *testing.B, v *Verifier, token string, valid bool) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token, now); (err == nil) != valid {
			b.Fatal(err)
		}
	}
}

// benchmarkFirstSeen presents a token to a cache that has just forgotten it.
func benchmarkFirstSeen(b *testing.B, v *Verifier, token string) {
	id := fingerprint.Of(token)
	b.ReportAllocs()
	for b.Loop() {
		v.cache.tokens.Invalidate(id)
		if _, err := v.Verify(b.Context(), token, now); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkRSA is the floor: the signature check alone.
func benchmarkRSA(b *testing.B, token string) {
	end := strings.LastIndexByte(token, '.')
	content := []byte(token[:end])
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(content)
		if err := rsa.VerifyPKCS1v15(&mint.SigningKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			b.Fatal(err)
		}
	}
}
