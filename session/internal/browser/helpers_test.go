package browser

import (
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// now is the time of all tests that do not run in a bubble of their own.
var now = mint.Now

// object is JSON under construction.
type object = map[string]any

// testKeys is the instance's key set.
func testKeys(tb testing.TB) jwt.KeySet {
	tb.Helper()
	keys, err := jwt.ParseKeySet(mint.KeySet(tb, mint.JWK(mint.Kid, &mint.SigningKey().PublicKey)))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

var testExpected = jwt.Expected{Issuers: []string{mint.Issuer}, AuthorizedParties: []string{"https://app.example.com"}, Leeway: 5 * time.Second}

func testVerifier(tb testing.TB) *jwt.Verifier {
	tb.Helper()
	return jwt.NewVerifier(testExpected, testKeys(tb), jwt.NewCache())
}
