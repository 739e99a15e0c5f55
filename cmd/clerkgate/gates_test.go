package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// A document that names another Redis is in force once what that knows is known:
// nobody is refused meanwhile.
func TestAReloadWaitsForWhatTheNewStoreKnows(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	path := document(t, "")
	gates, err := openGates(&serveOptions{config: path}, (&serveOptions{}).logger())
	if err != nil {
		t.Fatal(err)
	}
	defer gates.close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.TrimSpace(string(text))+"\nredis: { url: \"redis://"+server.Addr+"\" }\n")
	if err := gates.reload(); err != nil {
		t.Fatal(err)
	}
	who := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_1", UserID: "user_1", IssuedAt: time.Now()}
	if got := gates.state.Load().gate.Stores.Revocations.Revoked(who, time.Now()); got != "" {
		t.Errorf("%q after the reload", got)
	}
}
