package clerkapi

import (
	"net/http"
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/mint"

	"github.com/clerkgate/clerkgate/policy"
)

func testTokens(tb testing.TB, b http.RoundTripper) *Tokens {
	tb.Helper()
	tokens, err := NewTokens(Access{URL: "https://api.clerk.com", SecretKey: "sk_live_canary", HTTPClient: &http.Client{Transport: b}})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

var asker = &policy.Principal{TokenType: policy.SessionToken, UserID: "user_a", SessionID: "sess_a", OrgID: "org_a"}

// now is the time of all tests that do not run in a bubble of their own.
var now = mint.Now

// object is JSON under construction.
type object = map[string]any
