package browser

import (
	"context"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// testBrowsers judges the browsers of an instance in production.
func testBrowsers(tb testing.TB) *Authenticator {
	tb.Helper()
	verifier := jwttest.Verifier(tb)
	a, err := New(Options{
		Verifier: verifier, DevSkewVerifier: verifier, CookieSuffix: mint.Suffix, Production: true, FrontendHost: "clerk.example.com", FrontendAPI: "clerk.example.com",
		AuthorizedParties: []string{"https://app.example.com"}, Origins: []string{"https://app.example.com"}, APIURL: "https://api.clerk.com",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// decide judges a request as package session has it judged.
func (a *Authenticator) decide(ctx context.Context, r *policy.Request, now time.Time) policy.AuthState {
	v := a.Visit(r, now)
	if v.Bearer {
		return a.ByToken(ctx, v, v.Token)
	}
	return a.ByCookies(ctx, v)
}
