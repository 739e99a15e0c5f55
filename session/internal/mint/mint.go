// Package mint makes the keys and tokens of an instance for the tests of package session
// and of the packages below it. It imports none of them.
package mint

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

// Now is the time of all tests that do not run in a bubble of their own.
var Now = time.Unix(1_750_000_000, 0)

var now = Now

// object is JSON under construction.
type object = map[string]any

// What names the instance: the id of its key, its publishable key, the suffix of its
// cookies and its issuer.
const (
	Kid            = "ins_2testkey"
	PublishableKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
	Suffix         = "naoXFJnI"
	Issuer         = "https://clerk.example.com"
)

func generateKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// SigningKey is the instance's key, OtherKey somebody else's.
var (
	SigningKey = sync.OnceValue(generateKey)
	OtherKey   = sync.OnceValue(generateKey)
)

// With returns o with some members replaced; nil removes a member.
func With(o object, changes object) object {
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

// Header is that of a session token.
var Header = object{"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": Kid, "typ": "JWT"}

// Claims are those of an ordinary member of an organization.
func Claims() object {
	return object{
		"azp": "https://app.example.com", "exp": now.Unix() + 60, "iat": now.Unix(), "nbf": now.Unix() - 10,
		"iss": Issuer, "jti": "0123456789abcdef0123", "sub": "user_2member", "sid": "sess_2session", "sts": "active", "v": 2,
		"fva": []int{5, -1}, "fea": "o:docs,o:billing,u:ai", "pla": "o:pro,u:free",
		"o": object{"id": "org_2acme", "slg": "acme", "rol": "admin", "per": "read,manage", "fpm": "3,1,0"},
	}
}

// Segment is a segment of a token (RFC 7515 § 2).
func Segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// JSONSegment is a segment that holds JSON.
func JSONSegment(tb testing.TB, o object) string {
	tb.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	return Segment(data)
}

// Signed closes a token over two segments.
func Signed(tb testing.TB, key *rsa.PrivateKey, header, payload string) string {
	tb.Helper()
	sum := sha256.Sum256([]byte(header + "." + payload))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return header + "." + payload + "." + Segment(signature)
}

// Token returns a token of the instance with these changes to its claims.
func Token(tb testing.TB, changes object) string {
	tb.Helper()
	return TokenOf(tb, Header, With(Claims(), changes))
}

// TokenOf returns a token of the instance with this header and these claims.
func TokenOf(tb testing.TB, header, claims object) string {
	tb.Helper()
	return Signed(tb, SigningKey(), JSONSegment(tb, header), JSONSegment(tb, claims))
}

// JWK is a public key as a key set lists it.
func JWK(kid string, key *rsa.PublicKey) object {
	return object{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": Segment(key.N.Bytes()), "e": Segment(big.NewInt(int64(key.E)).Bytes()),
	}
}

// KeySet is a JSON Web Key Set of these keys.
func KeySet(tb testing.TB, keys ...object) []byte {
	tb.Helper()
	data, err := json.Marshal(object{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// M2M returns a machine's token of the instance, with some members of its
// header and claims changed.
func M2M(tb testing.TB, header, claims object) string {
	tb.Helper()
	return TokenOf(tb, With(object{"alg": "RS256", "cat": "cl_B7d4PD333AAA", "kid": Kid, "typ": "JWT"}, header), With(object{
		"iss": Issuer, "sub": "mch_caller", "aud": []string{"mch_1", "mch_2"}, "scopes": "mch_1 mch_2", "jti": "mt_jwt",
		"iat": now.Unix() - 10, "nbf": now.Unix() - 10, "exp": now.Unix() + 3600,
	}, claims))
}

// OAuth returns an OAuth access token of the instance, likewise.
func OAuth(tb testing.TB, header, claims object) string {
	tb.Helper()
	return TokenOf(tb, With(object{"alg": "RS256", "kid": Kid, "typ": "at+jwt"}, header), With(object{
		"iss": Issuer, "sub": "user_2member", "client_id": "client_1", "scope": "profile email", "jti": "oat_jwt",
		"iat": now.Unix() - 10, "exp": now.Unix() + 3600,
	}, claims))
}

// Template is a token that a template made, with a signature that says
// what it is.
func Template(tb testing.TB, expires time.Time, changes object) string {
	tb.Helper()
	claims := With(object{"sub": "user_a", "exp": expires.Unix(), "aud": "hasura"}, changes)
	return JSONSegment(tb, object{"alg": "HS256", "cat": "cl_B7d4PD222AAA"}) + "." + JSONSegment(tb, claims) + "." + Segment([]byte("canary-signature"))
}
