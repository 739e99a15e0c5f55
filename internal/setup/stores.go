package setup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/revocation"
)

// Redis is the store that instances share, and how long a request waits for it.
type Redis struct {
	redisclient.Config
	// Budget is how long a request may wait for the store to count it. Default:
	// 10ms.
	Budget policy.Duration `json:"budget,omitempty" document:"nonempty"`
}

// Revocation says how long what has ended is remembered.
type Revocation struct {
	// MaxTokenLifetime is how long a token of the instance holds at most: JWT
	// templates and machine tokens may last longer than a session's minute. An
	// older token is refused, since what ended before is not remembered. Default:
	// 24h.
	MaxTokenLifetime policy.Duration `json:"max_token_lifetime,omitempty" document:"nonempty"`
	// MaxEntries bounds what is remembered. When there is no more room, every
	// token older than what had to be forgotten is stale. Default: 1000000.
	MaxEntries int `json:"max_entries,omitempty" document:"nonempty"`
	// OnStoreError is "local", to go on with what this process knows while Redis
	// is out of reach, or "deny". Default: local.
	OnStoreError policy.StoreErrorPolicy `json:"on_store_error,omitempty" document:"nonempty"`
}

func (r *Revocation) validate() error {
	var errs []error
	fail := func(key, suggestion, format string, args ...any) {
		errs = append(errs, &policy.ConfigError{Path: "revocation." + key, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
	}
	if r.MaxTokenLifetime != 0 && (r.MaxTokenLifetime.Std() < time.Minute || r.MaxTokenLifetime.Std() > 366*24*time.Hour) {
		fail("max_token_lifetime", "write a time from 1m to 366d", "%s is no lifetime of tokens", r.MaxTokenLifetime.Std())
	}
	if r.MaxEntries < 0 || r.MaxEntries > 100_000_000 {
		fail("max_entries", "write a number up to 100000000", "%d is no number of entries", r.MaxEntries)
	}
	switch r.OnStoreError {
	case "", policy.StoreErrorLocal, policy.StoreErrorDeny:
	default:
		fail("on_store_error", "write local or deny", "unknown value %q", r.OnStoreError)
	}
	return errors.Join(errs...)
}

// Stores are the counts and what has ended: what instances share where there is
// a Redis. Hosts let them outlive their gates while [Config.StoresKey] stays the
// same.
type Stores struct {
	// Limiter counts, in this process or in Redis.
	Limiter policy.Limiter
	// Revocations knows what has ended.
	Revocations *revocation.Service
	// Shared counts in Redis; nil without one.
	Shared *ratelimit.Redis
	// Memory counts where there is no Redis, or it is out of reach.
	Memory *ratelimit.Memory

	client redis.UniversalClient
}

// OpenStores makes the stores of a configuration. Nothing is dialed until they
// are used. Memory counts where there is no Redis, or it is out of reach.
func OpenStores(config *Config, memory *ratelimit.Memory, o Options) (*Stores, error) {
	if err := errors.Join(config.Redis.Validate(), config.Revocation.validate()); err != nil {
		return nil, err
	}
	s := &Stores{Limiter: memory, Memory: memory}
	if config.Redis.Enabled() {
		client, err := redisclient.New(config.Redis.Config)
		if err != nil {
			return nil, err
		}
		s.client = client
		s.Shared = ratelimit.NewRedis(client, ratelimit.RedisOptions{Budget: config.Redis.Budget.Std(), Fallback: memory})
		s.Limiter = s.Shared
	}
	s.Revocations = revocation.New(revocation.Options{
		Redis:      s.client,
		Lifetime:   config.Revocation.MaxTokenLifetime.Std(),
		MaxEntries: config.Revocation.MaxEntries,
		Deny:       config.Revocation.OnStoreError == policy.StoreErrorDeny,
		AnyAge:     !config.Redis.Enabled(), // until there is a receiver
		Logger:     o.Logger,
		Now:        o.Now,
	})
	return s, nil
}

// StoresKey tells apart the configurations that need [Stores] of their own. The
// webhook secret is no part of it: who takes webhooks and who judges by them need
// not be the same handler.
func (c *Config) StoresKey() ([sha256.Size]byte, error) {
	text, err := json.Marshal([]any{c.Redis, c.Revocation})
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("hashing the configuration: %w", err)
	}
	return sha256.Sum256(text), nil
}

// Receiver returns a receiver of Clerk's webhooks; nil where there is no secret
// to know them by. All of them have one memory of what they took. From the first
// on, tokens older than entries are kept are stale.
func (s *Stores) Receiver(config *Config) (*revocation.Receiver, error) {
	secret := strings.TrimSpace(config.Clerk.WebhookSecret) // as the clerk section is read
	if secret == "" {
		return nil, nil
	}
	receiver, err := revocation.NewReceiver(s.Revocations, secret)
	if err != nil {
		return nil, &policy.ConfigError{Path: "clerk.webhook_secret", Msg: err.Error(), Suggestion: "copy the signing secret of the endpoint, whsec_..."}
	}
	return receiver, nil
}

// Start follows what other instances tell, until ctx ends or Close.
func (s *Stores) Start(ctx context.Context) { s.Revocations.Start(ctx) }

// startLimit is how long a host that has no readiness of its own waits for what
// other instances told.
const startLimit = 5 * time.Second

// Await waits until what other instances told is known here, for five seconds
// from the start at most: a host that asked sooner would refuse everybody.
func (s *Stores) Await() { s.Revocations.Await(startLimit) }

// Ready reports whether what other instances told is known here.
func (s *Stores) Ready() bool { return s.Revocations.Ready() }

// Close ends what runs in the background.
func (s *Stores) Close() {
	s.Revocations.Close()
	if s.client == nil {
		return
	}
	s.Shared.Close()
	_ = s.client.Close() // nothing is under way any more
}
