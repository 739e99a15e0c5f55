package setup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/clerkgate/clerkgate/session"
)

// Pool holds what outlives a configuration: authenticators with their keys and
// verified tokens, what makes tokens for upstreams, and stores with their counts.
// Configurations that need the same share one, which ends with the last of them. It
// is safe for concurrent use; use [NewPool].
type Pool struct {
	options PoolOptions
	mu      sync.Mutex
	held    map[poolKey]*pooled // guarded by mu
}

// PoolOptions are what a [Pool] needs of its host. Everything has a default.
type PoolOptions struct {
	// Logger takes what happens in the background. Default: discarded.
	Logger *slog.Logger
	// Opened and Closed hear of stores, before they are used first and after they are
	// used last. Default: nobody.
	Opened, Closed func(*Stores)
}

// poolKey tells things apart by their kind and a hash of what they are made from.
type poolKey struct {
	kind string
	hash [sha256.Size]byte
}

// pooled is one thing with those who have it.
type pooled struct {
	key   poolKey
	value any
	users int
	once  sync.Once // starts
	start func()    // its background; nil for none
	await func()    // until it can be judged by; nil for at once
	close func()    // nil for nothing to end
}

// NewPool returns a pool of nothing.
func NewPool(o PoolOptions) *Pool {
	return &Pool{options: o, held: map[poolKey]*pooled{}}
}

// Users is how many leases have a thing of the pool.
func (p *Pool) Users(value any) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, thing := range p.held {
		if thing.value == value {
			return thing.users
		}
	}
	return 0
}

// Lease is what one configuration has of a pool. It is not safe for concurrent use.
type Lease struct {
	pool   *Pool
	things []*pooled
}

// Lease returns a lease of nothing yet.
func (p *Pool) Lease() *Lease { return &Lease{pool: p} }

// take returns the thing of a key, made if nobody has it.
func (l *Lease) take(key poolKey, construct func(*pooled) error) (any, error) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	thing, ok := l.pool.held[key]
	if !ok {
		thing = &pooled{key: key}
		if err := construct(thing); err != nil {
			return nil, err
		}
		l.pool.held[key] = thing
	}
	thing.users++
	l.things = append(l.things, thing)
	return thing.value, nil
}

// Start begins the background of what was taken, unless it has begun, until the last
// user gives it back.
func (l *Lease) Start() {
	for _, thing := range l.things {
		if thing.start != nil {
			thing.once.Do(thing.start)
		}
	}
}

// Await waits until requests can be judged by what was taken, for some seconds after
// its start at most.
func (l *Lease) Await() {
	for _, thing := range l.things {
		if thing.await != nil {
			thing.await()
		}
	}
}

// Release gives everything back that was taken. It may be called again, and of nil.
func (l *Lease) Release() {
	if l == nil {
		return
	}
	l.pool.mu.Lock()
	var last []*pooled
	for _, thing := range l.things {
		if thing.users--; thing.users == 0 {
			delete(l.pool.held, thing.key)
			last = append(last, thing)
		}
	}
	l.things = nil
	l.pool.mu.Unlock()
	for _, thing := range last {
		if thing.close != nil {
			thing.close()
		}
	}
}

// Gate compiles a configuration, with what it shares from the pool.
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
	hash, err := hashOf(config.withoutWebhooks())
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

// Upstream returns what makes tokens for the upstreams of a configuration. It keeps
// the tokens that were fetched, and a signing key that was made.
func (l *Lease) Upstream(config *Config) (*Upstream, error) {
	hash, err := hashOf([]any{config.withoutWebhooks(), config.Assertion})
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

// Stores returns the counts and what has ended, by a configuration: other stores for
// other instances, and for another Redis. Who takes webhooks and who judges by them
// need not be the same handler, so that their secret makes no difference.
func (l *Lease) Stores(config *Config) (*Stores, error) {
	instance, err := config.instance()
	if err != nil {
		return nil, err
	}
	hash, err := hashOf([]any{instance, config.Redis, config.Revocation})
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

// memory returns what this process knows: the same for all, since a limit counts for
// the whole process, by its name, and what has ended has ended everywhere.
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

// withoutWebhooks is the clerk section without what only receivers of webhooks read.
func (c *Config) withoutWebhooks() session.Config {
	clerk := c.Clerk
	clerk.WebhookSecret = ""
	return clerk
}

// hashOf is a hash of what something is made from.
func hashOf(what any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("hashing the configuration: %w", err)
	}
	return sha256.Sum256(text), nil
}
