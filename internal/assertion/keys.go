package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/clerkgate/clerkgate/policy"
)

// maxKeys bounds how many keys are published.
const maxKeys = 16

// keyring is the signing key and all public keys.
type keyring struct {
	signing jose.JSONWebKey // private
	public  []jose.JSONWebKey
}

// newKeyring parses the keys of a configuration, or generates one.
func newKeyring(config policy.Assertion) (*keyring, error) {
	if config.Key != "" {
		return parseKeys(config.Key, config.Algorithm)
	}
	private, err := makeKey(config.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	ring := new(keyring)
	return ring, ring.add(private, "")
}

// makeKey generates a key for an algorithm; "" is EdDSA.
func makeKey(algorithm string) (crypto.Signer, error) {
	if algorithm == policy.ES256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

// parseKeys parses PEM: first the signing key, then those that are only published.
// Errors contain nothing of it.
func parseKeys(text, algorithm string) (*keyring, error) {
	ring, rest := new(keyring), []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := parseKey(block)
		if err == nil {
			err = ring.add(key, algorithm)
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(ring.public)+1, err)
		}
		algorithm = "" // of the first only
	}
	switch {
	case len(ring.public) == 0:
		return nil, errors.New("there is no key in PEM form")
	case len(ring.public) != strings.Count(text, "-----BEGIN "): // the decoder skips what it cannot read
		return nil, errors.New("one of the keys is damaged")
	}
	return ring, nil
}

// parseKey returns a private or a public key.
func parseKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "PUBLIC KEY":
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return key, nil
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted; write it without a password: openssl pkcs8 -topk8 -nocrypt")
	default:
		return nil, fmt.Errorf("%q is not PKCS#8; convert it: openssl pkcs8 -topk8 -nocrypt", block.Type)
	}
	return nil, fmt.Errorf("the %s cannot be read", strings.ToLower(block.Type))
}

// add adds a key. The first one is the signing key, which must be for the algorithm,
// unless that is "".
func (ring *keyring) add(key any, algorithm string) error {
	first := len(ring.public) == 0
	private, isPrivate := key.(crypto.Signer)
	if isPrivate {
		key = private.Public()
	} else if first {
		return errors.New("the first key must be private: it signs")
	}
	public, err := publicKey(key)
	switch {
	case err != nil:
		return err
	case algorithm != "" && public.Algorithm != algorithm:
		return fmt.Errorf("it signs by %s, not by %s", public.Algorithm, algorithm)
	case slices.ContainsFunc(ring.public, func(k jose.JSONWebKey) bool { return k.KeyID == public.KeyID }):
		return errors.New("it is there already")
	case len(ring.public) == maxKeys:
		return fmt.Errorf("at most %d keys are published", maxKeys)
	}
	if first {
		ring.signing = public
		ring.signing.Key = private
	}
	ring.public = append(ring.public, public)
	return nil
}

// publicKey returns the JSON Web Key of a public key, whose kid is its thumbprint (RFC
// 7638).
func publicKey(key any) (jose.JSONWebKey, error) {
	public := jose.JSONWebKey{Key: key, Use: "sig"}
	switch k := key.(type) {
	case ed25519.PublicKey:
		public.Algorithm = policy.EdDSA
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return public, errors.New("its curve is not P-256")
		}
		public.Algorithm = policy.ES256
	default:
		return public, errors.New("it is neither an Ed25519 nor a P-256 key")
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return public, err
}
