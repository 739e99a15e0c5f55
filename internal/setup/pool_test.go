package setup

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// Who takes webhooks and who judges by them need not be the same handler.
func TestWhatTellsStoresApart(t *testing.T) {
	t.Parallel()
	lease := NewPool(PoolOptions{}).Lease()
	defer lease.Release()
	stores := func(c Config) *Stores {
		t.Helper()
		s, err := lease.Stores(&c)
		if err != nil {
			t.Fatal(err)
		}
		return s
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
		if same := stores(c.config) == stores(plain); same != c.same {
			t.Errorf("%s: the stores are the same: %v", name, same)
		}
	}
}

// What two configurations share goes on until both are gone, begins once, and is
// told of once.
func TestAPoolSharesUntilTheLastUserIsGone(t *testing.T) {
	t.Parallel()
	var opened, closed int
	pool := NewPool(PoolOptions{Opened: func(*Stores) { opened++ }, Closed: func(*Stores) { closed++ }})
	config := &Config{Config: policy.Config{Assertion: &policy.Assertion{}}}
	config.Clerk.PublishableKey = publishableKey
	other := *config
	other.Clerk.WebhookSecret, other.Mode = "whsec_c2VjcmV0", policy.Shadow
	before, after := pool.Lease(), pool.Lease()
	first, err := before.Gate(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := after.Gate(&other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if first.Session != second.Session || first.Upstream != second.Upstream || first.Stores != second.Stores || first.Policy == second.Policy {
		t.Error("keys, tokens and counts are not shared, or the policy is")
	}
	after.Start()
	before.Start()
	after.Await()
	for _, step := range []struct {
		lease  *Lease
		remain int
	}{{before, 1}, {before, 1}, {after, 0}} {
		step.lease.Release()
		for _, value := range []any{first.Session, first.Upstream, first.Stores} {
			if n := pool.Users(value); n != step.remain {
				t.Errorf("%T has %d users, want %d", value, n, step.remain)
			}
		}
	}
	if opened != 1 || closed != 1 || len(pool.things) != 0 {
		t.Errorf("%d stores opened, %d closed, %d things left", opened, closed, len(pool.things))
	}
}

// What cannot be made leaves nothing behind.
func TestAPoolKeepsNothingThatIsWrong(t *testing.T) {
	t.Parallel()
	pool := NewPool(PoolOptions{})
	for name, config := range map[string]*Config{
		"an instance": {Clerk: session.Config{PublishableKey: "pk_test_nonsense"}},
		"a policy":    {Clerk: session.Config{PublishableKey: publishableKey}, Config: policy.Config{Mode: "watch"}},
		"stores":      {Clerk: session.Config{PublishableKey: publishableKey}, Revocation: Revocation{MaxEntries: -1}},
	} {
		lease := pool.Lease()
		if _, err := lease.Gate(config, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		lease.Release()
		if len(pool.things) != 0 {
			t.Errorf("%s: %d things left", name, len(pool.things))
		}
	}
	(*Lease)(nil).Release()
}
