package setup

import (
	"crypto/sha256"
	"log/slog"
	"sync"
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
