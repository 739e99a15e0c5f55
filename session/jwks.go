package session

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxKeys bounds how many entries a key set may have.
const maxKeys = 64

// ParseKeySet reads a JSON Web Key Set that does not change. Entries that cannot
// verify session tokens are skipped; a set without a usable key is an error.
func ParseKeySet(data []byte) (KeySet, error) {
	keys, err := parseKeySet(data, relaxations{})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// keyMap are keys by their id. It is never changed once made.
type keyMap map[string]*Key

// Key implements [KeySet].
func (m keyMap) Key(_ context.Context, kid string, _ time.Time) (*Key, error) {
	if key, ok := m[kid]; ok {
		return key, nil
	}
	return nil, ErrUnknownKey
}

// parseKeySet reads a JSON Web Key Set (RFC 7517 § 5). Entries that cannot
// verify session tokens are skipped and do not disturb their neighbours. A set
// without a usable key is an error, so that it never replaces a good one.
func parseKeySet(data []byte, r relaxations) (keyMap, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, errors.New("the key set is not well formed")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys; at most %d are taken", len(set.Keys), maxKeys)
	}
	keys, times := make(keyMap), make(map[string]int)
	for _, text := range set.Keys {
		var entry jwk
		if err := json.Unmarshal(text, &entry); err != nil || entry.ID == nil || *entry.ID == "" {
			continue
		}
		times[*entry.ID]++
		if key, ok := entry.key(text, r); ok {
			keys[key.ID] = key
		}
	}
	for kid, n := range times {
		if n > 1 && !r.keys {
			delete(keys, kid) // which of them is meant cannot be told
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

var errNoKeys = errors.New("the key set has no usable key")

// jwk are the members of a key that say what it is for (RFC 7517 § 4), and
// those that no public key has (RFC 7518 § 6.3.2, § 6.4.1).
type jwk struct {
	ID         *string  `json:"kid"`
	Algorithm  *string  `json:"alg"`
	Use        *string  `json:"use"`
	Operations []string `json:"key_ops"`
	Exponent   string   `json:"e"`

	D   jsontext.Value `json:"d"`
	P   jsontext.Value `json:"p"`
	Q   jsontext.Value `json:"q"`
	DP  jsontext.Value `json:"dp"`
	DQ  jsontext.Value `json:"dq"`
	QI  jsontext.Value `json:"qi"`
	Oth jsontext.Value `json:"oth"`
	K   jsontext.Value `json:"k"`
}

// key returns the entry as a key, if it is one that verifies session tokens.
func (e *jwk) key(text []byte, r relaxations) (*Key, bool) {
	k := &Key{ID: *e.ID, Operations: e.Operations}
	if e.Algorithm != nil {
		k.Algorithm = *e.Algorithm
	}
	if e.Use != nil {
		k.Use = *e.Use
	}
	k.Public = e.public(text)
	if r.keys {
		return k, true
	}
	usable := k.verifies("RS256") && checkPublic(k.Public) == nil && !e.private() &&
		(e.Algorithm == nil || k.Algorithm != "") && (e.Use == nil || k.Use != "")
	return k, usable
}

// maxExponentText bounds the base64 text of an exponent to six octets, since
// longer ones would wrap around when read as an int.
const maxExponentText = 8

func (e *jwk) public(text []byte) *rsa.PublicKey {
	var parsed jose.JSONWebKey
	if len(e.Exponent) > maxExponentText || parsed.UnmarshalJSON(text) != nil {
		return nil
	}
	public, _ := parsed.Key.(*rsa.PublicKey)
	return public
}

// private reports whether the entry holds what only its owner may have.
func (e *jwk) private() bool {
	for _, member := range []jsontext.Value{e.D, e.P, e.Q, e.DP, e.DQ, e.QI, e.Oth, e.K} {
		if member != nil {
			return true
		}
	}
	return false
}
