package jwt

import (
	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

const (
	// maxCached bounds how many tokens a cache remembers.
	maxCached = 16384
	// maxCachedToken bounds the tokens it remembers, in bytes. Browsers keep no
	// longer cookies.
	maxCachedToken = 4 << 10
)

// Cache remembers what verified tokens say, so that a token presented again
// costs a hash in place of a signature check. It never remembers a verdict:
// times, rules and keys are looked at each time. It is bounded and safe for
// concurrent use, and may be shared by verifiers.
type Cache struct {
	tokens *otter.Cache[fingerprint.Sum, *verified]
}

// verified is what a token said, and the key and strictness under which it did.
type verified struct {
	principal *policy.Principal
	kid       string
	key       *Key
	relaxed   compat.Relaxations
	size      int // of the token, in bytes
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{otter.Must(&otter.Options[fingerprint.Sum, *verified]{MaximumSize: maxCached})}
}

// get returns what is known of a token, or nil.
func (c *Cache) get(id fingerprint.Sum) *verified {
	if c == nil {
		return nil
	}
	known, _ := c.tokens.GetIfPresent(id)
	return known
}

// put remembers a token whose signature was verified.
func (c *Cache) put(id fingerprint.Sum, v *verified) {
	if c != nil && v.size <= maxCachedToken {
		c.tokens.Set(id, v)
	}
}
