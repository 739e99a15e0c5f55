package jwt

import (
	"crypto/rsa"
	lenient "encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// errBrokenKeys is a key set that the reference does not survive reading.
var errBrokenKeys = errors.New("the key set holds what is no key")

// referenceKeySet reads a key set as the reference does: each entry is kept under
// its id, whatever it is, and looked at once a token names it.
func referenceKeySet(data []byte) (keyMap, error) {
	var set any
	if err := lenient.Unmarshal(data, &set); err != nil {
		return nil, errors.New("the key set is not well formed")
	}
	if set == nil {
		return nil, errBrokenKeys
	}
	object, _ := set.(map[string]any)
	if text, ok := object["keys"].(string); ok && text != "" {
		return nil, errBrokenKeys
	}
	list, _ := object["keys"].([]any)
	if len(list) == 0 {
		return nil, errNoKeys
	}
	keys := make(keyMap)
	for _, entry := range list {
		members, ok := entry.(map[string]any)
		if entry == nil {
			return nil, errBrokenKeys
		}
		id, named := compat.JSTextOf(members, "kid")
		switch {
		case !named:
			return nil, errBrokenKeys
		case !ok && compat.IsFalsy(entry):
			delete(keys, id)
		default:
			keys[id] = referenceKey(id, members)
		}
	}
	return keys, nil
}

// referenceKey reads an entry as Web Cryptography does, for keys that are to
// verify. What that refuses is a key that verifies nothing.
func referenceKey(id string, members map[string]any) *Key {
	k := &Key{ID: id}
	texts := map[string]string{}
	for _, name := range []string{"kty", "use", "alg", "n", "e", "crv", "d", "p", "q", "dp", "dq", "qi", "k", "x", "y"} {
		text, ok := compat.JSTextOf(members, name)
		if !ok {
			return k
		}
		texts[name] = text
	}
	if operations, present := members["key_ops"]; present {
		list, ok := operations.([]any)
		if !ok {
			return k
		}
		k.Operations = []string{}
		for _, operation := range list {
			text, ok := compat.JSText(operation)
			if !ok || slices.Contains(k.Operations, text) {
				return k
			}
			k.Operations = append(k.Operations, text)
		}
	}
	if _, private := members["d"]; private || !isPrimes(members) {
		return k
	}
	if _, present := members["use"]; present && texts["use"] != "sig" {
		return k
	}
	if _, present := members["alg"]; present {
		if texts["alg"] == "" {
			return k
		}
		k.Algorithm = texts["alg"]
	}
	k.Public = (&jwk{Kind: texts["kty"], Modulus: texts["n"], Exponent: texts["e"]}).public()
	_, modulus := members["n"]
	_, exponent := members["e"]
	if k.Public == nil && texts["kty"] == "RSA" && modulus && exponent {
		k.Public = unmatched
	}
	return k
}

// unmatched stands for keys of odd numbers, which the reference takes, and under
// which no signature verifies.
var unmatched = &rsa.PublicKey{N: big.NewInt(1), E: 3}

// isPrimes reports whether member oth is absent or a list of objects.
func isPrimes(members map[string]any) bool {
	others, present := members["oth"]
	list, ok := others.([]any)
	isObject := func(v any) bool {
		switch v.(type) {
		case nil, map[string]any, []any:
			return true
		}
		return false
	}
	return !present || ok && !slices.ContainsFunc(list, func(v any) bool { return !isObject(v) })
}

// referenceOutage is the reference's word for keys that could not be fetched: it
// tells answers that are errors, and such without keys, from none at all.
func referenceOutage(err error) policy.Reason {
	refusal, refused := errors.AsType[*calls.AnswerError](err)
	switch {
	case refused && slices.Contains(refusal.Codes, "clerk_key_invalid"):
		return policy.ReasonSecretKeyInvalid
	case refused && refusal.JSON, errors.Is(err, errNoKeys):
		return policy.ReasonKeysFailed
	}
	return policy.ReasonUnexpectedError
}
