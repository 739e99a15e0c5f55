package session

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
)

const (
	// maxCached bounds how many tokens a cache remembers.
	maxCached = 16384
	// maxCachedToken bounds the tokens it remembers, in bytes. Browsers send no
	// longer ones.
	maxCachedToken = 4 << 10
)

// Cache remembers what verified tokens say, so that a token presented again
// costs a hash in place of a signature check. It never remembers a verdict:
// times, rules and keys are looked at each time. It is bounded and safe for
// concurrent use, and may be shared by verifiers.
type Cache struct {
	tokens *otter.Cache[[sha256.Size]byte, *verified]
}

// verified is what a token said, and the key and strictness under which it did.
type verified struct {
	principal *policy.Principal
	kid       string
	key       *Key
	relaxed   relaxations
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{otter.Must(&otter.Options[[sha256.Size]byte, *verified]{MaximumSize: maxCached})}
}

// get returns what is known of a token, or nil.
func (c *Cache) get(text string) *verified {
	if c == nil || len(text) > maxCachedToken {
		return nil
	}
	known, _ := c.tokens.GetIfPresent(sha256.Sum256([]byte(text)))
	return known
}

// put remembers a token whose signature was verified.
func (c *Cache) put(text string, v *verified) {
	if c == nil || len(text) > maxCachedToken {
		return
	}
	c.tokens.Set(sha256.Sum256([]byte(text)), v)
}
