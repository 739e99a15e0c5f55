package session_test

import (
	"encoding/base64"
	"testing"

	"github.com/clerkgate/clerkgate/session"
)

// publishableKey is the key of the instance with that Frontend API.
func publishableKey(prefix, host string) string {
	return prefix + base64.StdEncoding.EncodeToString([]byte(host+"$"))
}

func TestInstanceIDIsThatOfTheFrontendAPI(t *testing.T) {
	id := func(key string) string {
		t.Helper()
		id, err := session.Config{PublishableKey: key}.InstanceID()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	one := id(publishableKey("pk_live_", "clerk.example.com"))
	if len(one) != 16 {
		t.Errorf("the ID %q has not 16 characters", one)
	}
	if same := id(" " + publishableKey("pk_live_", "clerk.example.com") + "\n"); same != one {
		t.Errorf("white space around the key makes it another instance: %s, %s", one, same)
	}
	if other := id(publishableKey("pk_live_", "clerk.example.org")); other == one {
		t.Error("two instances have one ID")
	}
	if _, err := (session.Config{PublishableKey: "sk_live_x"}).InstanceID(); err == nil {
		t.Error("what is no publishable key has an ID")
	}
}
