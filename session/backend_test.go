package session

import (
	"net/http"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

func testTokens(tb testing.TB, b http.RoundTripper) *Tokens {
	tb.Helper()
	tokens, err := NewTokens(Config{SecretKey: "sk_live_canary"}, &http.Client{Transport: b})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

var asker = &policy.Principal{TokenType: policy.SessionToken, UserID: "user_a", SessionID: "sess_a", OrgID: "org_a"}
