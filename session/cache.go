package session

import (
	"crypto/sha256"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
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
	tokens *otter.Cache[fingerprint, *verified]
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
	return &Cache{otter.Must(&otter.Options[fingerprint, *verified]{MaximumSize: maxCached})}
}

// fingerprint identifies a token. Nobody can make two tokens of one fingerprint,
// and the cache holds nothing that could be presented in place of a token.
type fingerprint [sha256.Size]byte

func fingerprintOf(text string) fingerprint {
	var buf [maxCachedToken]byte // on the stack, where a conversion would allocate
	if len(text) <= len(buf) {
		return sha256.Sum256(buf[:copy(buf[:], text)])
	}
	return sha256.Sum256([]byte(text))
}

// get returns what is known of a token, or nil.
func (c *Cache) get(id fingerprint) *verified {
	if c == nil {
		return nil
	}
	known, _ := c.tokens.GetIfPresent(id)
	return known
}

// put remembers a token whose signature was verified.
func (c *Cache) put(id fingerprint, v *verified) {
	if c != nil && v.size <= maxCachedToken {
		c.tokens.Set(id, v)
	}
}
