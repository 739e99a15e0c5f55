package clerktest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// signingKey is a key that signs tokens, and the id that tokens name it by.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
	// removed keys are not published.
	removed bool
}

// keyBits is the size of Clerk's keys.
const keyBits = 2048

func newSigningKey() (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return signingKey{}, fmt.Errorf("making a signing key: %w", err)
	}
	return signingKey{id: "ins_" + rand.Text(), private: private}, nil
}

// mustSigningKey panics where newSigningKey fails: with Go's own source of
// randomness it never does.
func mustSigningKey() signingKey {
	key, err := newSigningKey()
	if err != nil {
		panic(err)
	}
	return key
}

// KeyID is the id of the key that signs now: ins_....
func (i *Instance) KeyID() string { return i.signing().id }

func (i *Instance) signing() signingKey {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.keys[len(i.keys)-1]
}

// RotateKey makes a new key that signs from now on, and returns its id. The
// keys before stay published until [Instance.RemoveKey].
func (i *Instance) RotateKey() string {
	key := mustSigningKey()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, key)
	return key.id
}

// RemoveKey stops publishing a key. If it is the one that signs, it goes on
// signing: so there are tokens under a key that nobody finds.
func (i *Instance) RemoveKey(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.keys {
		i.keys[n].removed = i.keys[n].removed || i.keys[n].id == id
	}
}

// JWKS is the key set as it is published (RFC 7517 § 5).
func (i *Instance) JWKS() jose.JSONWebKeySet {
	i.mu.RLock()
	defer i.mu.RUnlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range i.keys {
		if !key.removed {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.private.Public(), KeyID: key.id, Algorithm: string(jose.RS256), Use: "sig"})
		}
	}
	return set
}

// PublicKeyPEM is the key that signs now, as jwt_key takes it.
func (i *Instance) PublicKeyPEM() string {
	der, err := x509.MarshalPKIXPublicKey(i.signing().private.Public())
	if err != nil {
		panic(err) // an RSA key always marshals
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
