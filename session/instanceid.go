package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// InstanceID names the Clerk instance that the publishable key is of: a short
// hash of its Frontend API host, the same on every node and for every key of the
// instance. Counts, what has ended and what is cached belong to it, so that two
// instances in one process or on one store never meet. A key that cannot be read
// is an error.
func (c Config) InstanceID() (string, error) {
	key, err := ParsePublishableKey(strings.TrimSpace(c.PublishableKey))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.ToLower(key.Host)))
	return hex.EncodeToString(sum[:8]), nil
}
