package jwt

import (
	"context"
	"crypto/rsa"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// maxKeys bounds how many keys of a set are kept.
const maxKeys = 64

// ParseKeySet reads a JSON Web Key Set that does not change. Entries that cannot
// verify session tokens are skipped; a set without a usable key is an error.
func ParseKeySet(data []byte) (KeySet, error) {
	keys, err := parseKeySet(data, compat.Relaxations{})
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
// verify session tokens are skipped and do not disturb their neighbours, however
// many there are. A set without a usable key is an error, so that it never
// replaces a good one.
func parseKeySet(data []byte, r compat.Relaxations) (keyMap, error) {
	if r.Keys {
		return referenceKeySet(data)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, errors.New("the key set is not well formed")
	}
	var usable []*Key
	times := make(map[string]int)
	for _, text := range set.Keys {
		var named struct {
			ID string `json:"kid"`
		}
		if err := json.Unmarshal(text, &named, jsontext.AllowDuplicateNames(true)); err != nil || named.ID == "" {
			continue
		}
		times[named.ID]++
		var entry jwk
		if err := json.Unmarshal(text, &entry); err != nil {
			continue
		}
		if key, ok := entry.key(); ok {
			usable = append(usable, key)
		}
	}
	keys := make(keyMap)
	for _, key := range usable {
		if times[key.ID] > 1 {
			continue // which of them is meant cannot be told
		}
		if _, known := keys[key.ID]; known || len(keys) < maxKeys {
			keys[key.ID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

var errNoKeys = errors.New("the key set has no usable key")

// jwk are the members of a key that say what it is for (RFC 7517 § 4), those
// that it is made of (RFC 7518 § 6.3.1), and those that no public key has
// (RFC 7518 § 6.3.2, § 6.4.1). Certificates (x5c and the like) are not looked at:
// whatever they hold, they neither make a key nor spoil one.
type jwk struct {
	Kind       string         `json:"kty"`
	ID         string         `json:"kid"`
	Algorithm  jsontext.Value `json:"alg"`
	Use        jsontext.Value `json:"use"`
	Operations jsontext.Value `json:"key_ops"`
	Modulus    string         `json:"n"`
	Exponent   string         `json:"e"`

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
func (e *jwk) key() (*Key, bool) {
	k := &Key{ID: e.ID, Public: e.public()}
	readable := readMember(e.Algorithm, &k.Algorithm) && readMember(e.Use, &k.Use) && readMember(e.Operations, &k.Operations)
	usable := readable && k.verifies("RS256") && checkPublic(k.Public) == nil && !e.private() &&
		(e.Algorithm == nil || k.Algorithm != "") && (e.Use == nil || k.Use != "") && !repeats(k.Operations)
	return k, usable
}

// readMember reads a member that may be absent. Null is not absent.
func readMember[T any](member jsontext.Value, into *T) bool {
	return member == nil || member.Kind() != 'n' && json.Unmarshal(member, into) == nil
}

// repeats reports whether an operation stands there twice, which RFC 7517 § 4.3
// rules out.
func repeats(operations []string) bool {
	sorted := slices.Sorted(slices.Values(operations))
	return len(slices.Compact(sorted)) < len(operations)
}

// maxExponentText bounds the base64 text of an exponent to six octets, since
// longer ones would wrap around when read as an int.
const maxExponentText = 8

// public returns the key itself, or nil where it is none, read from the members
// that make it alone.
func (e *jwk) public() *rsa.PublicKey {
	if len(e.Exponent) > maxExponentText {
		return nil
	}
	text, err := json.Marshal(map[string]string{"kty": e.Kind, "n": e.Modulus, "e": e.Exponent})
	var parsed jose.JSONWebKey
	if err != nil || parsed.UnmarshalJSON(text) != nil {
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
