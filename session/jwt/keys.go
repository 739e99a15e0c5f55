package jwt

import (
	"context"
	"crypto/rsa"
	"errors"
	"slices"
	"time"
)

// KeySet finds the public key that a token names. Implementations are safe for
// concurrent use, and answer for known keys without waiting.
type KeySet interface {
	// Key returns the key with that ID (kid), as of now. The error is [ErrUnknownKey]
	// if the set is known and has none, [ErrKeysUnavailable] if the set is not known,
	// or that of ctx while waiting for keys.
	Key(ctx context.Context, kid string, now time.Time) (*Key, error)
}

var (
	// ErrUnknownKey says that no key of the set has the ID of the token.
	ErrUnknownKey = errors.New("jwt: no key of that id")
	// ErrKeysUnavailable says that there are no keys to verify with. It says nothing
	// about the token.
	ErrKeysUnavailable = errors.New("jwt: verification keys are unavailable")
)

// Key is one public key and what it may be used for. It is immutable.
type Key struct {
	// ID is the key's id (kid); empty where the set has one key for all tokens.
	ID string
	// Algorithm is the only algorithm the key may verify; empty leaves it open.
	Algorithm string
	// Use is empty or "sig".
	Use string
	// Operations are the operations the key is for; nil leaves them open.
	Operations []string
	// Public is the key; nil is a key of a kind that verifies nothing here.
	Public *rsa.PublicKey
}

// verifies reports whether the key may verify signatures made with alg.
func (k *Key) verifies(alg string) bool {
	return k.Public != nil &&
		(k.Algorithm == "" || k.Algorithm == alg) &&
		(k.Use == "" || k.Use == "sig") &&
		(k.Operations == nil || slices.Contains(k.Operations, "verify"))
}

// equal reports whether both keys verify the same signatures.
func (k *Key) equal(other *Key) bool {
	return k == other ||
		k.Algorithm == other.Algorithm && k.Use == other.Use && slices.Equal(k.Operations, other.Operations) &&
			k.Public != nil && other.Public != nil && k.Public.Equal(other.Public)
}

const (
	minModulus  = 2048 // bits
	maxModulus  = 8192 // bits
	maxExponent = 1<<31 - 1
)

// checkPublic refuses RSA keys that are weak, degenerate, or so large that
// verifying with them is a burden.
func checkPublic(k *rsa.PublicKey) error {
	bits := k.N.BitLen()
	switch {
	case bits < minModulus || bits > maxModulus:
		return errors.New("the modulus is not between 2048 and 8192 bits long")
	case k.N.Bit(0) == 0:
		return errors.New("the modulus is even")
	case k.E < 3 || k.E > maxExponent || k.E%2 == 0:
		return errors.New("the exponent is not an odd number from 3 to 2147483647")
	}
	return nil
}
