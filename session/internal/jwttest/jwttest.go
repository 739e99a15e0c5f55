// Package jwttest has the key sets and the verifier of the instance of package mint, for
// the tests of package session and of the packages that stand on jwt.
package jwttest

import (
	"context"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Keys is the instance's key set.
func Keys(tb testing.TB) jwt.KeySet {
	tb.Helper()
	keys, err := jwt.ParseKeySet(mint.KeySet(tb, mint.JWK(mint.Kid, &mint.SigningKey().PublicKey)))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// Expected is what the instance's tokens are.
var Expected = jwt.Expected{Issuers: []string{mint.Issuer}, AuthorizedParties: []string{"https://app.example.com"}, Leeway: 5 * time.Second}

// Verifier verifies the instance's tokens.
func Verifier(tb testing.TB) *jwt.Verifier {
	tb.Helper()
	return jwt.NewVerifier(Expected, Keys(tb), jwt.NewCache())
}

// BrokenKeys is a key set that cannot answer.
type BrokenKeys struct{ Err error }

// Key returns the error.
func (b BrokenKeys) Key(context.Context, string, time.Time) (*jwt.Key, error) { return nil, b.Err }
