package setup

import (
	"cmp"
	"context"
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

// Redis is the store that processes share, and how long a request waits for it.
type Redis struct {
	redisclient.Config
	// Budget is how long a request waits for the rate limit counts of Redis. Default:
	// 10ms.
	Budget policy.Duration `json:"budget,omitempty" document:"nonempty"`
	// MaxKeys is how many keys of a rate limit Redis holds at most where anonymous
	// clients can choose them, by a header, a path or an address. Keys beyond that share
	// counts. Default: 262144, of about 200 bytes each.
	MaxKeys int `json:"max_keys,omitempty" document:"nonempty"`
}

// Validate returns all errors, as [policy.ConfigError]s.
func (r *Redis) Validate() error {
	err := r.Config.Validate()
	if r.MaxKeys < 0 || r.MaxKeys > 100_000_000 {
		err = errors.Join(err, &policy.ConfigError{Path: "redis.max_keys", Msg: fmt.Sprintf("%d is out of range", r.MaxKeys), Suggestion: "write a number up to 100000000"})
	}
	return err
}

// Revocation says how long revocations are kept.
type Revocation struct {
	// MaxTokenLifetime is the longest lifetime of a token of the instance, for which
	// revocations are kept: tokens of JWT templates and machine tokens may be valid
	// longer than the minute of a session token. An older token is stale, since its
	// revocation may no longer be known. Default: 24h.
	MaxTokenLifetime policy.Duration `json:"max_token_lifetime,omitempty" document:"nonempty"`
	// MaxEntries bounds the revocations that are kept. If there are more, the older half
	// is dropped, and every token older than those is stale. Default: 1000000.
	MaxEntries int `json:"max_entries,omitempty" document:"nonempty"`
	// OnStoreError is "local", to continue with the revocations that this process knows
	// while Redis is unavailable, or "deny". Default: local.
	OnStoreError policy.StoreErrorPolicy `json:"on_store_error,omitempty" document:"nonempty"`
}

// Validate returns all errors, as [policy.ConfigError]s.
func (r *Revocation) Validate() error {
	var errs []error
	fail := func(key, suggestion, format string, args ...any) {
		errs = append(errs, &policy.ConfigError{Path: "revocation." + key, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
	}
	if r.MaxTokenLifetime != 0 && (r.MaxTokenLifetime.Std() < time.Minute || r.MaxTokenLifetime.Std() > 366*24*time.Hour) {
		fail("max_token_lifetime", "write a time from 1m to 366d", "%s is out of range", r.MaxTokenLifetime.Std())
	}
	if r.MaxEntries < 0 || r.MaxEntries > 100_000_000 {
		fail("max_entries", "write a number up to 100000000", "%d is out of range", r.MaxEntries)
	}
	switch r.OnStoreError {
	case "", policy.StoreErrorLocal, policy.StoreErrorDeny:
	default:
		fail("on_store_error", "write local or deny", "unknown value %q", r.OnStoreError)
	}
	return errors.Join(errs...)
}

// Stores are the rate limit counts and the revocations of one Clerk instance, which
// processes share in Redis. A [Pool] lets them outlive a gate.
type Stores struct {
	// Instance is the Clerk instance, by [session.Config.InstanceID].
	Instance string
	// Limiter counts for the instance, in this process or in Redis.
	Limiter policy.Limiter
	// Revocations knows the revoked tokens.
	Revocations *revocation.Service
	// Shared counts in Redis; nil without one.
	Shared *ratelimit.Redis
	// Counts counts in this process, without Redis or while it is unavailable.
	Counts *ratelimit.Memory

	client redis.UniversalClient
}

// Memory is the counts and revocations in the memory of a process. A host makes one, and
// keeps it when its configuration is reloaded.
type Memory struct {
	// Counts are the rate limit counts of all instances.
	Counts *ratelimit.Memory
	// Ended shares the revocations among the [Stores] of an instance.
	Ended revocation.Group
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{Counts: ratelimit.NewMemory(ratelimit.Options{})}
}

// OpenStores makes the stores of a configuration. Nothing is dialed until they are used.
// They start with the revocations of the memory, and use its counts without Redis or
// while it is unavailable. The caller must close them.
func OpenStores(config *Config, memory *Memory, o Options) (*Stores, error) {
	if err := errors.Join(config.Redis.Validate(), config.Revocation.Validate()); err != nil {
		return nil, err
	}
	instance, err := config.instance()
	if err != nil {
		return nil, err
	}
	s := &Stores{Instance: instance, Limiter: memory.Counts.Of(instance), Counts: memory.Counts}
	if config.Redis.Enabled() {
		client, err := redisclient.New(config.Redis.Config)
		if err != nil {
			return nil, err
		}
		s.client = client
		s.Shared = ratelimit.NewRedis(client, ratelimit.RedisOptions{Prefix: config.Redis.KeyPrefix(), Budget: config.Redis.Budget.Std(), Fallback: memory.Counts, StrangerKeys: config.Redis.MaxKeys})
		s.Limiter = s.Shared.Of(instance)
	}
	group := &memory.Ended
	if instance == "" {
		group = nil // others without a name may be of another instance
	}
	s.Revocations = revocation.New(revocation.Options{
		Group:      group,
		Instance:   instance,
		Prefix:     config.Redis.KeyPrefix(),
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

// instance returns the ID of the Clerk instance; "" if the configuration has no
// publishable key.
func (c *Config) instance() (string, error) {
	if strings.TrimSpace(c.Clerk.PublishableKey) == "" {
		return "", nil
	}
	id, err := c.Clerk.InstanceID()
	if err != nil {
		return "", &policy.ConfigError{Path: "clerk.publishable_key", Msg: err.Error(), Suggestion: "copy the key from Clerk's dashboard, pk_live_... or pk_test_..."}
	}
	return id, nil
}

// CheckReceiver returns an error if there can be no receiver of Clerk's webhooks: the
// publishable key is missing or invalid, or the webhook secret is invalid.
func (c *Config) CheckReceiver() error {
	if instance, err := c.instance(); err != nil || instance == "" {
		return cmp.Or[error](err, &policy.ConfigError{Path: "clerk.publishable_key", Msg: "the publishable key is required, to know the instance of the webhooks", Suggestion: "write the publishable key of the instance"})
	}
	return c.validateSecret()
}

// Receiver returns a receiver of Clerk's webhooks; nil if there is no webhook secret. All
// receivers of the stores find each other's duplicates. From the first one on, tokens
// older than revocations are kept are stale: so make it last, when a configuration goes
// into service.
func (s *Stores) Receiver(config *Config) (*revocation.Receiver, error) {
	secret := config.webhookSecret()
	if secret == "" {
		return nil, nil
	}
	if err := config.CheckReceiver(); err != nil {
		return nil, err
	}
	receiver, err := revocation.NewReceiver(s.Revocations, secret)
	if err != nil {
		return nil, badSecret(err)
	}
	return receiver, nil
}

// webhookSecret returns the trimmed webhook secret.
func (c *Config) webhookSecret() string { return strings.TrimSpace(c.Clerk.WebhookSecret) }

func badSecret(err error) error {
	return &policy.ConfigError{Path: "clerk.webhook_secret", Msg: err.Error(), Suggestion: "copy the signing secret of the endpoint, whsec_..."}
}

// Start reads the revocations of other processes, until ctx ends or [Stores.Close].
func (s *Stores) Start(ctx context.Context) { s.Revocations.Start(ctx) }

// startLimit is how long a host without a readiness check waits for the revocations in
// Redis.
const startLimit = 5 * time.Second

// Await waits until the revocations in Redis were read, for five seconds from the start
// at most: until then every request is denied.
func (s *Stores) Await() { s.Revocations.Await(startLimit) }

// Ready reports whether the revocations in Redis were read.
func (s *Stores) Ready() bool { return s.Revocations.Ready() }

// Close stops the background work and closes the connections to Redis.
func (s *Stores) Close() {
	s.Revocations.Close()
	if s.client == nil {
		return
	}
	s.Shared.Close()
	_ = s.client.Close() // no call is in progress any more
}
