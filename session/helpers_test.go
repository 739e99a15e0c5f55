package session

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"
)

// now is the time of all tests that do not run in a bubble of their own.
var now = time.Unix(1_750_000_000, 0)

const (
	testKid         = "ins_2testkey"
	testPublishable = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
	testSuffix      = "naoXFJnI"
	testIssuer      = "https://clerk.example.com"
)

func generateKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// signingKey is the instance's key, otherKey somebody else's.
var (
	signingKey = sync.OnceValue(generateKey)
	otherKey   = sync.OnceValue(generateKey)
)

// object is JSON under construction.
type object = map[string]any

// with returns o with some members replaced; nil removes a member.
func with(o object, changes object) object {
	out := maps.Clone(o)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

var testHeader = object{"alg": "RS256", "cat": categorySession, "kid": testKid, "typ": "JWT"}

// testClaims are those of an ordinary member of an organization.
func testClaims() object {
	return object{
		"azp": "https://app.example.com", "exp": now.Unix() + 60, "iat": now.Unix(), "nbf": now.Unix() - 10,
		"iss": testIssuer, "jti": "0123456789abcdef0123", "sub": "user_2member", "sid": "sess_2session", "sts": "active", "v": 2,
		"fva": []int{5, -1}, "fea": "o:docs,o:billing,u:ai", "pla": "o:pro,u:free",
		"o": object{"id": "org_2acme", "slg": "acme", "rol": "admin", "per": "read,manage", "fpm": "3,1,0"},
	}
}

func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func jsonSegment(tb testing.TB, o object) string {
	tb.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	return segment(data)
}

// signed closes a token over two segments.
func signed(tb testing.TB, key *rsa.PrivateKey, header, payload string) string {
	tb.Helper()
	sum := sha256.Sum256([]byte(header + "." + payload))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return header + "." + payload + "." + segment(signature)
}

// mint returns a token of the instance with these changes to its claims.
func mint(tb testing.TB, changes object) string {
	tb.Helper()
	return mintWith(tb, testHeader, with(testClaims(), changes))
}

func mintWith(tb testing.TB, header, claims object) string {
	tb.Helper()
	return signed(tb, signingKey(), jsonSegment(tb, header), jsonSegment(tb, claims))
}

// jwkOf is a public key as a key set lists it.
func jwkOf(kid string, key *rsa.PublicKey) object {
	return object{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": segment(key.N.Bytes()), "e": segment(big.NewInt(int64(key.E)).Bytes()),
	}
}

func keySetOf(tb testing.TB, keys ...object) []byte {
	tb.Helper()
	data, err := json.Marshal(object{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// testKeys is the instance's key set.
func testKeys(tb testing.TB) KeySet {
	tb.Helper()
	keys, err := ParseKeySet(keySetOf(tb, jwkOf(testKid, &signingKey().PublicKey)))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

var testRules = Rules{Issuers: []string{testIssuer}, AuthorizedParties: []string{"https://app.example.com"}, Leeway: defaultSkew}

func testVerifier(tb testing.TB) *Verifier {
	tb.Helper()
	return NewVerifier(testRules, testKeys(tb), NewCache())
}
