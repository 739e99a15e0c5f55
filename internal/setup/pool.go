package setup

import (
	"crypto/sha256"
	"log/slog"
	"sync"
)

// Pool holds what outlives a configuration: authenticators with their keys and verified
// tokens, [Upstream]s with their tokens, and stores with their counts. Configurations
// with the same settings share one, which is closed when the last of them releases it.
// It is safe for concurrent use; use [NewPool].
type Pool struct {
	options PoolOptions
	mu      sync.Mutex
	things  map[poolKey]*pooled // guarded by mu
}

// PoolOptions are those of [NewPool]. The zero value is valid.
type PoolOptions struct {
	// Logger logs the background work. Default: discarded.
	Logger *slog.Logger
	// Opened and Closed are called with stores, before their first and after their last
	// use. Default: none.
	Opened, Closed func(*Stores)
}

// poolKey is the key of a thing in a pool: its kind and the hash of its settings.
type poolKey struct {
	kind string
	hash [sha256.Size]byte
}

// pooled is one thing of a pool, with the number of leases that have it.
type pooled struct {
	key   poolKey
	value any
	users int
	once  sync.Once // starts
	start func()    // its background; nil for none
	await func()    // until it can be judged by; nil for at once
	close func()    // nil for nothing to end
}

// NewPool returns an empty pool.
func NewPool(o PoolOptions) *Pool {
	return &Pool{options: o, things: map[poolKey]*pooled{}}
}

// Users returns how many leases have a thing of the pool.
func (p *Pool) Users(value any) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, thing := range p.things {
		if thing.value == value {
			return thing.users
		}
	}
	return 0
}

// Lease is what one configuration has taken from a pool. It is not safe for concurrent
// use.
type Lease struct {
	pool   *Pool
	things []*pooled
}

// Lease returns an empty lease.
func (p *Pool) Lease() *Lease { return &Lease{pool: p} }

// take returns the thing of a key, which is made if no lease has it.
func (l *Lease) take(key poolKey, construct func(*pooled) error) (any, error) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	thing, ok := l.pool.things[key]
	if !ok {
		thing = &pooled{key: key}
		if err := construct(thing); err != nil {
			return nil, err
		}
		l.pool.things[key] = thing
	}
	thing.users++
	l.things = append(l.things, thing)
	return thing.value, nil
}

// Start starts the background work of what was taken, unless it has started. It ends when
// the last lease releases it.
func (l *Lease) Start() {
	for _, thing := range l.things {
		if thing.start != nil {
			thing.once.Do(thing.start)
		}
	}
}

// Await waits until the revocations of what was taken were read, for five seconds after
// its start at most.
func (l *Lease) Await() {
	for _, thing := range l.things {
		if thing.await != nil {
			thing.await()
		}
	}
}

// Release releases everything that was taken. It may be called again, and on nil.
func (l *Lease) Release() {
	if l == nil {
		return
	}
	l.pool.mu.Lock()
	var last []*pooled
	for _, thing := range l.things {
		if thing.users--; thing.users == 0 {
			delete(l.pool.things, thing.key)
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
