package setup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/clerkgate/clerkgate/session"
)

// Gate compiles a configuration, with the authenticator, the stores and the upstream of
// the pool.
func (l *Lease) Gate(config *Config, o Options) (*Gate, error) {
	var err error
	if o.Stores, err = l.Stores(config); err != nil {
		return nil, err
	}
	if config.Clerk.Validate() == nil { // otherwise New says what is wrong, all at once
		if o.Session, err = l.Session(config); err != nil {
			return nil, err
		}
		if o.Upstream, err = l.Upstream(config); err != nil {
			return nil, err
		}
	}
	return New(*config, o)
}

// Session returns the authenticator of a configuration's instance.
func (l *Lease) Session(config *Config) (*session.Authenticator, error) {
	hash, err := configHash(config.withoutWebhooks())
	if err != nil {
		return nil, err
	}
	value, err := l.take(poolKey{"session", hash}, func(thing *pooled) error {
		authenticator, err := NewSession(config.Clerk, Options{Logger: l.pool.options.Logger})
		if err != nil {
			return err
		}
		thing.value = authenticator
		thing.start = func() { authenticator.Start(context.Background()) } // close ends it
		thing.close = authenticator.Close
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*session.Authenticator), nil
}

// Upstream returns the [Upstream] of a configuration, with the tokens that were fetched
// and a signing key that was generated.
func (l *Lease) Upstream(config *Config) (*Upstream, error) {
	hash, err := configHash([]any{config.withoutWebhooks(), config.Assertion})
	if err != nil {
		return nil, err
	}
	value, err := l.take(poolKey{"upstream", hash}, func(thing *pooled) (err error) {
		thing.value, err = NewUpstream(*config, Options{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return value.(*Upstream), nil
}

// Stores returns the stores of a configuration, which differ by instance, Redis and
// revocation settings. The webhook secret makes no difference: the handler that receives
// webhooks and those that decide by them share the stores.
func (l *Lease) Stores(config *Config) (*Stores, error) {
	instance, err := config.instance()
	if err != nil {
		return nil, err
	}
	hash, err := configHash([]any{instance, config.Redis, config.Revocation})
	if err != nil {
		return nil, err
	}
	memory, err := l.memory()
	if err != nil {
		return nil, err
	}
	value, err := l.take(poolKey{"stores", hash}, func(thing *pooled) error {
		stores, err := OpenStores(config, memory, Options{Logger: l.pool.options.Logger})
		if err != nil {
			return err
		}
		if l.pool.options.Opened != nil {
			l.pool.options.Opened(stores)
		}
		thing.value = stores
		thing.start = func() { stores.Start(context.Background()) } // close ends it
		thing.await = stores.Await
		thing.close = func() {
			stores.Close()
			if l.pool.options.Closed != nil {
				l.pool.options.Closed(stores)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*Stores), nil
}

// memory returns the memory of this process: the same for all configurations, since
// limits and revocations apply to the whole process.
func (l *Lease) memory() (*Memory, error) {
	value, err := l.take(poolKey{kind: "memory"}, func(thing *pooled) error {
		thing.value = NewMemory()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*Memory), nil
}

// withoutWebhooks returns the clerk section without the webhook secret, which only
// receivers of webhooks use.
func (c *Config) withoutWebhooks() session.Config {
	clerk := c.Clerk
	clerk.WebhookSecret = ""
	return clerk
}

// configHash returns the hash of settings.
func configHash(what any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("hashing the configuration: %w", err)
	}
	return sha256.Sum256(text), nil
}
