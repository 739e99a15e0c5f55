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

// Redis is the store that instances share, and how long a request waits for it.
type Redis struct {
	redisclient.Config
	// Budget is how long a request may wait for the store to count it. Default:
	// 10ms.
	Budget policy.Duration `json:"budget,omitempty" document:"nonempty"`
	// MaxKeys is how many keys of a limit that strangers can name, by a header, a
	// path or an address, Redis holds at most. Keys beyond share counts. Default:
	// 262144, of about 200 bytes each.
	MaxKeys int `json:"max_keys,omitempty" document:"nonempty"`
}

// Validate reports everything that is wrong.
func (r *Redis) Validate() error {
	err := r.Config.Validate()
	if r.MaxKeys < 0 || r.MaxKeys > 100_000_000 {
		err = errors.Join(err, &policy.ConfigError{Path: "redis.max_keys", Msg: fmt.Sprintf("%d is out of range", r.MaxKeys), Suggestion: "write a number up to 100000000"})
	}
	return err
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

// Validate reports everything that is wrong.
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

// Stores are the counts and what has ended: what instances share where there is
// a Redis. A [Pool] lets them outlive a gate.
type Stores struct {
	// Instance is the Clerk instance whose counts they are, by
	// [session.Config.InstanceID].
	Instance string
	// Limiter counts for the instance, in this process or in Redis.
	Limiter policy.Limiter
	// Revocations knows what has ended.
	Revocations *revocation.Service
	// Shared counts in Redis; nil without one.
	Shared *ratelimit.Redis
	// Counts are those of this process, where there is no Redis, or it is out of
	// reach.
	Counts *ratelimit.Memory

	client redis.UniversalClient
}

// Memory is what a process knows by itself, whatever its configuration: a host makes
// one, and keeps it while configurations come and go.
type Memory struct {
	// Counts are those of limits, of all instances.
	Counts *ratelimit.Memory
	// Ended is what has ended of each instance, as long as there are [Stores] of it.
	Ended revocation.Kin
}

// NewMemory returns one that knows nothing yet.
func NewMemory() *Memory {
	return &Memory{Counts: ratelimit.NewMemory(ratelimit.Options{})}
}

// OpenStores makes the stores of a configuration. Nothing is dialed until they
// are used. They begin with what the memory knows, which counts where there is no
// Redis, or it is out of reach. [Stores.Close] ends what holds them.
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
	kin := &memory.Ended
	if instance == "" {
		kin = nil // nobody knows whether others are of the same
	}
	s.Revocations = revocation.New(revocation.Options{
		Kin:        kin,
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

// instance names the Clerk instance that counts and what has ended belong to;
// empty where the configuration names none.
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

// CheckReceiver reports why there can be no receiver of Clerk's webhooks, or only
// one that knows nobody.
func (c *Config) CheckReceiver() error {
	if instance, err := c.instance(); err != nil || instance == "" {
		return cmp.Or[error](err, &policy.ConfigError{Path: "clerk.publishable_key", Msg: "the publishable key is required, to know the instance of the webhooks", Suggestion: "write the publishable key of the instance"})
	}
	return c.validateSecret()
}

// Receiver returns a receiver of Clerk's webhooks; nil where there is no secret
// to know them by. All of them have one memory of what they took. From the first
// on, tokens older than entries are kept are stale: so make it last, when a
// configuration goes into force.
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

// webhookSecret is the secret as the clerk section is read.
func (c *Config) webhookSecret() string { return strings.TrimSpace(c.Clerk.WebhookSecret) }

func badSecret(err error) error {
	return &policy.ConfigError{Path: "clerk.webhook_secret", Msg: err.Error(), Suggestion: "copy the signing secret of the endpoint, whsec_..."}
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
