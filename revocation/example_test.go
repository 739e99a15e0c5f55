package revocation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// A session that is signed out elsewhere ends here at once, before its token does.
func ExampleService() {
	service := revocation.New(revocation.Options{})
	defer service.Close()
	now := time.Now()
	p := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", IssuedAt: now}
	fmt.Printf("%q\n", service.Revoked(p, now))
	if err := service.RevokeSession(context.Background(), "sess_1"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", service.Revoked(p, now))
	// Output:
	// ""
	// "session-revoked"
}
