package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

func TestParseKeySetSkipsWhatItCannotUse(t *testing.T) {
	t.Parallel()
	public := &mint.SigningKey().PublicKey
	good := mint.JWK("ins_good", public)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	even := &rsa.PublicKey{N: new(big.Int).Sub(public.N, big.NewInt(1)), E: public.E}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(public.N, 7000), 0, 1), E: public.E}
	tests := map[string]object{
		"another kind":                 {"kty": "EC"},
		"no kind":                      {"kty": nil},
		"no id":                        {"kid": nil},
		"an empty id":                  {"kid": ""},
		"an id that is a number":       {"kid": 7},
		"for encryption":               {"use": "enc"},
		"an empty use":                 {"use": ""},
		"for signing alone":            {"key_ops": []string{"sign"}},
		"for nothing":                  {"key_ops": []string{}},
		"another algorithm":            {"alg": "RS512"},
		"an empty algorithm":           {"alg": ""},
		"private":                      {"d": "AQAB"},
		"symmetric as well":            {"k": "AQAB"},
		"no exponent":                  {"e": nil},
		"an exponent that is one":      {"e": "AQ"},
		"an even exponent":             {"e": "AQAA"},
		"an exponent too large":        {"e": "AQAAAAE"},
		"an exponent that wraps":       {"e": "AQAAAAAAAQAB"},
		"an exponent that is a number": {"e": 65537},
		"no modulus":                   {"n": nil},
		"an even modulus":              mint.JWK("", even),
		"a modulus too small":          mint.JWK("", &small.PublicKey),
		"a modulus too large":          mint.JWK("", huge),
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := mint.With(good, object{"kid": "ins_bad"})
			for member, value := range changes {
				if member != "kid" || value != "" || name == "an empty id" {
					bad = mint.With(bad, object{member: value})
				}
			}
			keys, err := ParseKeySet(mint.KeySet(t, bad, good))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Key(t.Context(), "ins_good", now); err != nil {
				t.Errorf("the neighbour is gone: %v", err)
			}
			for _, kid := range []string{"ins_bad", "", "7"} {
				if _, err := keys.Key(t.Context(), kid, now); !errors.Is(err, ErrUnknownKey) {
					t.Errorf("key %q is used: %v", kid, err)
				}
			}
			if _, err := ParseKeySet(mint.KeySet(t, bad)); err == nil {
				t.Error("a set of it alone is a set")
			}
		})
	}
}

func TestParseKeySetUsesWhatIsLeftOpen(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]object{
		"no algorithm":               {"alg": nil},
		"no use":                     {"use": nil},
		"for verifying among more":   {"key_ops": []string{"sign", "verify"}},
		"members nobody knows":       {"note": object{"y": 1}},
		"a certificate that is none": {"x5c": []string{"AAAA"}},
		"a digest that is none":      {"x5t": "AAAA", "x5t#S256": 7, "x5u": "no URL"},
	} {
		keys, err := ParseKeySet(mint.KeySet(t, mint.With(mint.JWK(mint.Kid, &mint.SigningKey().PublicKey), changes)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := keys.Key(t.Context(), mint.Kid, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseKeySetUsesNoneOfTwoKeysWithOneID(t *testing.T) {
	t.Parallel()
	one, other := mint.JWK(mint.Kid, &mint.SigningKey().PublicKey), mint.JWK(mint.Kid, &mint.OtherKey().PublicKey)
	for _, second := range []object{other, mint.With(other, object{"use": "enc"}), one} {
		if _, err := ParseKeySet(mint.KeySet(t, one, second)); err == nil {
			t.Error("an ambiguous key is used")
		}
	}
	keys, err := parseKeySet(mint.KeySet(t, one, other), compat.Reference)
	if err != nil || !keys[mint.Kid].Public.Equal(&mint.OtherKey().PublicKey) {
		t.Errorf("in the reference the last counts: %v", err)
	}
}

// However many entries a set has, those that are of no use displace none, and
// of the others no more are kept than there is room for.
func TestParseKeySetKeepsSomeOfMany(t *testing.T) {
	t.Parallel()
	var many []object
	for i := range 3 * maxKeys {
		many = append(many, object{"kty": "EC", "kid": "ec" + strings.Repeat("x", i)})
	}
	for i := range maxKeys + 1 {
		many = append(many, mint.JWK(mint.Kid+strings.Repeat("x", i), &mint.SigningKey().PublicKey))
	}
	keys, err := parseKeySet(mint.KeySet(t, many...), compat.Relaxations{})
	if err != nil || len(keys) != maxKeys || keys[mint.Kid] == nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestParseKeySetRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "text": "not found", "an empty object": "{}", "no keys": `{"keys":[]}`, "keys that are none": `{"keys":[1,null,"x",{}]}`,
		"a list": "[]", "cut short": `{"keys":[{"kty":"RSA"`,
	} {
		if _, err := ParseKeySet([]byte(text)); err == nil {
			t.Errorf("%s is a key set", name)
		}
	}
}

func TestStaticKeySet(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKIXPublicKey(&mint.SigningKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	for name, form := range map[string]string{
		"PEM":                      text,
		"PEM on one line":          strings.ReplaceAll(text, "\n", `\n`),
		"PEM with space around":    "\n  " + text + "\n\n",
		"the body alone":           base64.StdEncoding.EncodeToString(der),
		"the body, over two lines": base64.StdEncoding.EncodeToString(der[:150]) + "\n" + base64.StdEncoding.EncodeToString(der[150:]),
	} {
		keys, err := NewStaticKeySet(form)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, kid := range []any{nil, "ins_any"} {
			token := mint.TokenOf(t, mint.With(mint.Header, object{"kid": kid}), mint.Claims())
			if _, err := NewVerifier(testExpected, keys, nil).Verify(t.Context(), token, now); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		token := mint.TokenOf(t, mint.With(mint.Header, object{"kid": 7}), mint.Claims())
		if _, err := NewVerifier(testExpected, keys, nil).Verify(t.Context(), token, now); err == nil {
			t.Errorf("%s: a key id that is a number", name)
		}
	}
}

func TestStaticKeySetRefuses(t *testing.T) {
	t.Parallel()
	encode := func(kind string, key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"text":          "not a key",
		"another curve": encode("PUBLIC KEY", &curve.PublicKey),
		"a small key":   encode("PUBLIC KEY", &small.PublicKey),
		"another label": encode("CERTIFICATE", &mint.SigningKey().PublicKey),
		"two keys":      encode("PUBLIC KEY", &mint.SigningKey().PublicKey) + encode("PUBLIC KEY", &mint.OtherKey().PublicKey),
		"cut short":     encode("PUBLIC KEY", &mint.SigningKey().PublicKey)[:200],
	} {
		if _, err := NewStaticKeySet(text); err == nil {
			t.Errorf("%s is a key", name)
		}
	}
}
