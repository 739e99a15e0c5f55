package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// Who makes a request: here a program without a token, and one with a token that is
// none.
func ExampleAuthenticator() {
	authenticator, err := session.New(session.Config{
		PublishableKey:    "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k",
		AuthorizedParties: policy.StringList{"https://app.example.com"},
	}, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// authenticator.Start(ctx) would keep the public keys fresh.
	defer authenticator.Close()
	for _, headers := range [][]policy.Header{nil, {{Name: "Authorization", Value: "Bearer no-token"}}} {
		state := authenticator.Authenticate(context.Background(), &policy.Request{
			Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/api/orders", Headers: headers,
		}, policy.TokenTypes{policy.SessionToken}, time.Now())
		fmt.Println(state.Status == policy.SignedIn, state.Reason)
	}
	// Output:
	// false session-token-and-uat-missing
	// false token-invalid
}
