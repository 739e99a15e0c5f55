package conformance

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// signer signs the tokens of cases anew, for proxies that live in the present:
// a case's tokens belong to its own instant, and nobody has its private key.
type signer struct {
	key *rsa.PrivateKey
	// other signs what the case's key set does not verify.
	other *rsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{}
	for _, key := range []**rsa.PrivateKey{&s.key, &s.other} {
		made, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		*key = made
	}
	return s
}

// publicPEM is the key as jwt_key takes it.
func (s *signer) publicPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes a token of header and claims.
func (s *signer) sign(t *testing.T, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	signed := encodeJSON(t, header) + "." + encodeJSON(t, claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// move signs a case's token anew, moved from the case's instant to now. What
// the case's keys do not verify, ours will not either; what is no token at all
// stays as it is.
func (s *signer) move(t *testing.T, token string, keys attackKeys, instant, now time.Time) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return token
	}
	header, claims := decodeJSON(parts[0]), decodeJSON(parts[1])
	if header == nil || claims == nil {
		return token
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		if at, ok := claims[name].(float64); ok {
			claims[name] = int64(at) + now.Unix() - instant.Unix()
		}
	}
	key := s.other
	if keys.verify(parts) {
		key = s.key
	}
	return s.sign(t, key, header, claims)
}

// attackKeys is the key set of a case.
type attackKeys struct {
	Keys []struct {
		N string `json:"n"`
		E string `json:"e"`
	} `json:"keys"`
}

// verify reports whether one of the keys made the signature.
func (k attackKeys) verify(parts []string) bool {
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	for _, jwk := range k.Keys {
		n, nErr := base64.RawURLEncoding.DecodeString(jwk.N)
		e, eErr := base64.RawURLEncoding.DecodeString(jwk.E)
		if nErr != nil || eErr != nil {
			continue
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil {
			return true
		}
	}
	return false
}

func encodeJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodeJSON(segment string) map[string]any {
	data, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil
	}
	var v map[string]any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	return v
}
