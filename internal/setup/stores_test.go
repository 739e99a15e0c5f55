package setup

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// Who takes webhooks and who judges by them need not be the same handler.
func TestWhatTellsStoresApart(t *testing.T) {
	t.Parallel()
	key := func(c Config) [32]byte {
		t.Helper()
		k, err := c.StoresKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	plain := Config{}
	for name, c := range map[string]struct {
		config Config
		same   bool
	}{
		"a webhook secret": {Config{Clerk: session.Config{WebhookSecret: "whsec_c2VjcmV0"}}, true},
		"a policy":         {Config{Config: policy.Config{Mode: policy.Shadow}}, true},
		"an instance":      {Config{Clerk: session.Config{PublishableKey: publishableKey}}, false},
		"a longer memory":  {Config{Revocation: Revocation{MaxEntries: 5}}, false},
		"another budget":   {Config{Redis: Redis{Budget: policy.Duration(5)}}, false},
	} {
		if same := key(c.config) == key(plain); same != c.same {
			t.Errorf("%s: the stores are the same: %v", name, same)
		}
	}
}
