package caddyplugin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/tally"
	"github.com/clerkgate/clerkgate/session"
)

// shared holds what outlives a configuration: authenticators with their keys
// and verified tokens, tokens and keys for upstreams, and the counts of limits.
var shared = caddy.NewUsagePool()

// counts are what stores have counted, over all configurations.
var counts = tally.New()

// adapter is what metrics call this host.
const adapter = "caddy"

// The keys of the pool.
type (
	// sessionKey is a hash of the clerk section.
	sessionKey [sha256.Size]byte
	// upstreamKey is a hash of what tokens for upstreams are made from.
	upstreamKey [sha256.Size]byte
	// storesKey is a hash of what the stores are made from.
	storesKey [sha256.Size]byte
	// memoryKey is the same for all: a limit counts for the whole process, by
	// its name, and what has ended has ended everywhere.
	memoryKey struct{}
)

// leases are the keys that one handler took, each once.
type leases []any

// begin has what the handler took begin with the configuration: at once where
// there is no server whose start could be waited for.
func (l *leases) begin(ctx caddy.Context, s starter) error {
	app, _, err := appOf(ctx)
	if app == nil {
		s.Start()
		s.Await()
		return err
	}
	app.starts = append(app.starts, s)
	return nil
}

// take returns the value of a key, made if it is not there.
func (l *leases) take(key any, construct caddy.Constructor) (any, error) {
	value, _, err := shared.LoadOrNew(key, construct)
	if err == nil {
		*l = append(*l, key)
	}
	return value, err
}

// release gives back everything that was taken.
func (l *leases) release() error {
	var errs []error
	for _, key := range *l {
		_, err := shared.Delete(key)
		errs = append(errs, err)
	}
	*l = nil
	return errors.Join(errs...)
}

// session returns the authenticator of a clerk section.
func (l *leases) session(ctx caddy.Context, config session.Config) (*session.Authenticator, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("hashing the clerk section: %w", err)
	}
	value, err := l.take(sessionKey(sha256.Sum256(text)), func() (caddy.Destructor, error) {
		authenticator, err := setup.NewSession(config, setup.Options{Logger: newLiveLog()})
		if err != nil {
			return nil, err
		}
		return &pooledSession{Authenticator: authenticator}, nil
	})
	if err != nil {
		return nil, err
	}
	pooled := value.(*pooledSession)
	return pooled.Authenticator, l.begin(ctx, pooled)
}

// upstream returns what makes tokens for upstreams, by a configuration.
func (l *leases) upstream(config *setup.Config) (*setup.Upstream, error) {
	key, err := config.UpstreamKey()
	if err != nil {
		return nil, err
	}
	value, err := l.take(upstreamKey(key), func() (caddy.Destructor, error) {
		upstream, err := setup.NewUpstream(*config, setup.Options{})
		if err != nil {
			return nil, err
		}
		return &pooledUpstream{upstream}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledUpstream).Upstream, nil
}

// stores returns the counts and what has ended, by a configuration, and has the
// metrics of Caddy tell of them.
func (l *leases) stores(ctx caddy.Context, config *setup.Config) (*setup.Stores, error) {
	key, err := config.StoresKey()
	if err != nil {
		return nil, err
	}
	memory, err := l.memory()
	if err != nil {
		return nil, err
	}
	value, err := l.take(storesKey(key), func() (caddy.Destructor, error) {
		stores, err := setup.OpenStores(config, memory, setup.Options{Logger: newLiveLog()})
		if err != nil {
			return nil, err
		}
		counts.Open(stores)
		return &pooledStores{Stores: stores}, nil
	})
	if err != nil {
		return nil, err
	}
	if err := counts.Register(ctx.GetMetricsRegistry(), adapter); err != nil {
		return nil, err
	}
	pooled := value.(*pooledStores)
	return pooled.Stores, l.begin(ctx, pooled)
}

// memory returns what this process knows.
func (l *leases) memory() (*setup.Memory, error) {
	value, err := l.take(memoryKey{}, func() (caddy.Destructor, error) {
		return &pooledMemory{setup.NewMemory()}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledMemory).Memory, nil
}

// pooledSession is an authenticator whose background ends with its last user.
type pooledSession struct {
	*session.Authenticator
	started sync.Once
}

// Start begins to fetch keys.
func (s *pooledSession) Start() {
	s.started.Do(func() { s.Authenticator.Start(context.Background()) }) // not the configuration's: Destruct ends it
}

// Await waits for nothing: without keys, requests that need one are refused.
func (*pooledSession) Await() {}

// Destruct stops fetching keys.
func (s *pooledSession) Destruct() error {
	s.Close()
	return nil
}

// pooledUpstream holds tokens and keys that nothing needs to end.
type pooledUpstream struct{ *setup.Upstream }

// Destruct does nothing.
func (*pooledUpstream) Destruct() error { return nil }

// pooledStores are stores whose background ends with their last user.
type pooledStores struct {
	*setup.Stores
	started sync.Once
}

// Start begins to follow other instances.
func (s *pooledStores) Start() {
	s.started.Do(func() { s.Stores.Start(context.Background()) }) // not the configuration's: Destruct ends it
}

// Destruct stops following other instances.
func (s *pooledStores) Destruct() error {
	s.Close()
	counts.Close(s.Stores)
	return nil
}

// pooledMemory is what nothing needs to end.
type pooledMemory struct{ *setup.Memory }

// Destruct does nothing.
func (*pooledMemory) Destruct() error { return nil }
