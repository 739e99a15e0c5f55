package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/clerkgate/clerkgate/policy"
)

func pemOf(tb testing.TB, key any) string {
	tb.Helper()
	if _, ok := key.(crypto.Signer); ok {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			tb.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newKey(tb testing.TB, algorithm string) crypto.Signer {
	tb.Helper()
	key, err := makeKey(algorithm)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Keys change without a gap: the next one is published before it signs, the
// last one after it did.
func TestKeysChangeWithoutAGap(t *testing.T) {
	t.Parallel()
	old, next := newKey(t, policy.EdDSA), newKey(t, policy.ES256)
	before := newIssuer(t, policy.Assertion{Key: "the old one\n" + pemOf(t, old) + pemOf(t, next)})
	after := newIssuer(t, policy.Assertion{Key: pemOf(t, next) + pemOf(t, old.Public()), Algorithm: policy.ES256})
	for _, i := range []*Issuer{before, after} {
		if got := verified(t, i, assert(t, before, member(), now), jose.EdDSA)["sub"]; got != "user_1" {
			t.Errorf("signed by the old key: %v", got)
		}
		if got := verified(t, i, assert(t, after, member(), now), jose.ES256)["sub"]; got != "user_1" {
			t.Errorf("signed by the next key: %v", got)
		}
		for _, key := range published(t, i).Keys {
			if !key.IsPublic() || key.Use != "sig" || key.Algorithm == "" || len(key.KeyID) != 43 {
				t.Errorf("published: %+v", key)
			}
		}
	}
}

func TestKeysMadeAtTheStartDiffer(t *testing.T) {
	t.Parallel()
	a, b := newIssuer(t, policy.Assertion{}), newIssuer(t, policy.Assertion{})
	if published(t, a).Keys[0].KeyID == published(t, b).Keys[0].KeyID {
		t.Error("two processes sign with one key")
	}
}

func TestBadKeysAreRefusedWithoutShowingThem(t *testing.T) {
	t.Parallel()
	good := pemOf(t, newKey(t, policy.EdDSA))
	body := strings.Split(good, "\n")[1]
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := pemOf(t, newKey(t, policy.EdDSA).Public().(ed25519.PublicKey))
	for name, c := range map[string]struct{ key, algorithm, want string }{
		"no key":                        {"canary", "", "no key in PEM form"},
		"a public key to sign with":     {public, "", "must be private"},
		"RSA":                           {pemOf(t, rsaKey), "", "neither an Ed25519 nor a P-256"},
		"another curve":                 {pemOf(t, p384), "", "P-256"},
		"another algorithm":             {good, policy.ES256, "signs by EdDSA, not by ES256"},
		"an old form":                   {strings.ReplaceAll(good, "PRIVATE KEY", "EC PRIVATE KEY"), "", "convert it"},
		"encrypted":                     {strings.ReplaceAll(good, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "", "without a password"},
		"private as public":             {good + strings.ReplaceAll(good, "PRIVATE", "PUBLIC"), "", "key 2: the public key cannot be read"},
		"damaged":                       {strings.Replace(good, body, body[:12], 1), "", "cannot be read"},
		"damaged, and a good one":       {strings.Replace(good, "-----END", "----END", 1) + good, "", "damaged"},
		"cut off":                       {public[:0] + good + good[:40], "", "damaged"},
		"twice":                         {good + good, "", "there already"},
		"public and private of one key": {good + pemOf(t, mustParse(t, good).Public()), "", "there already"},
		"more than are published":       {many(t, maxKeys+1), "", "at most 16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(policy.Assertion{Key: c.key, Algorithm: c.algorithm})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "assertion.key: ") {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if text := err.Error(); strings.Contains(text, body[:10]) || strings.Contains(text, "canary") {
				t.Errorf("the error shows the key: %s", text)
			}
		})
	}
}

func mustParse(t *testing.T, text string) crypto.Signer {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

func many(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for range n {
		b.WriteString(pemOf(t, newKey(t, policy.EdDSA)))
	}
	return b.String()
}

func TestThePrivateKeyStaysHere(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{policy.EdDSA, policy.ES256} {
		i := newIssuer(t, policy.Assertion{Algorithm: algorithm})
		for _, member := range []string{`"d"`, `"k"`} {
			if strings.Contains(string(i.keySet), member) {
				t.Errorf("%s is published", member)
			}
		}
	}
}
