package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
)

var now = time.Unix(1_750_000_000, 0)

func member() *policy.Principal {
	return &policy.Principal{
		TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:member",
		OrgPermissions: []string{"org:docs:read", "org:docs:write"}, TokenDigest: "digest-1", ExpiresAt: now.Add(time.Hour),
	}
}

func newIssuer(tb testing.TB, config policy.Assertion) *Issuer {
	tb.Helper()
	issuer, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return issuer
}

// published is the key set as an upstream fetches it.
func published(tb testing.TB, i *Issuer) jose.JSONWebKeySet {
	tb.Helper()
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/jwk-set+json" {
		tb.Fatalf("%d, %v: %v", w.Code, w.Header(), err)
	}
	return set
}

// verified returns the claims of an assertion, which must verify as it does at
// an upstream.
func verified(tb testing.TB, i *Issuer, text string, algorithm jose.SignatureAlgorithm) map[string]any {
	tb.Helper()
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		tb.Fatal(err)
	}
	set := published(tb, i)
	keys := set.Key(token.Headers[0].KeyID)
	if len(keys) != 1 {
		tb.Fatalf("%d keys are published for %q", len(keys), token.Headers[0].KeyID)
	}
	claims := map[string]any{}
	if err := token.Claims(keys[0], &claims); err != nil {
		tb.Fatal(err)
	}
	return claims
}

func assert(tb testing.TB, i *Issuer, p *policy.Principal, at time.Time) string {
	tb.Helper()
	text, err := i.Assertion(p, at)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestAnAssertionSaysWhoAsks(t *testing.T) {
	t.Parallel()
	iat := float64(now.Unix())
	for name, c := range map[string]struct {
		config policy.Assertion
		who    *policy.Principal
		want   map[string]any
	}{
		"a member of an organization": {policy.Assertion{Audience: policy.StringList{"app"}}, member(), map[string]any{
			"iss": "clerkgate", "aud": "app", "sub": "user_1", "sid": "sess_1", "token_type": "session_token",
			"org_id": "org_1", "org_slug": "acme", "org_role": "org:member", "org_permissions": []any{"org:docs:read", "org:docs:write"},
			"iat": iat, "nbf": iat - 10, "exp": iat + 60,
		}},
		"somebody by themselves, impersonated": {
			policy.Assertion{Issuer: "https://edge.example.com", Lifetime: policy.Duration(5 * time.Minute), Audience: policy.StringList{"a", "b"}, Algorithm: policy.ES256},
			&policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", Actor: "user_9"}, map[string]any{
				"iss": "https://edge.example.com", "aud": []any{"a", "b"}, "sub": "user_1", "sid": "sess_1", "token_type": "session_token",
				"act": map[string]any{"sub": "user_9"}, "iat": iat, "nbf": iat - 10, "exp": iat + 300,
			},
		},
		"a machine": {policy.Assertion{}, &policy.Principal{TokenType: policy.M2MToken, MachineID: "mch_1", Scopes: []string{"mch_2", "mch_3"}}, map[string]any{
			"iss": "clerkgate", "sub": "mch_1", "token_type": "m2m_token", "scope": "mch_2 mch_3", "iat": iat, "nbf": iat - 10, "exp": iat + 60,
		}},
		"a client of OAuth whose token ends soon": {policy.Assertion{}, &policy.Principal{TokenType: policy.OAuthToken, UserID: "user_1", ClientID: "client_1", ExpiresAt: now.Add(7 * time.Second)}, map[string]any{
			"iss": "clerkgate", "sub": "user_1", "token_type": "oauth_token", "client_id": "client_1", "iat": iat, "nbf": iat - 10, "exp": iat + 7,
		}},
		"more permissions than a header holds": {policy.Assertion{}, &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", OrgPermissions: []string{strings.Repeat("p", maxList)}, Scopes: []string{strings.Repeat("s", maxList+1)}}, map[string]any{
			"iss": "clerkgate", "sub": "user_1", "token_type": "session_token", "iat": iat, "nbf": iat - 10, "exp": iat + 60,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			algorithm := jose.EdDSA
			if c.config.Algorithm == policy.ES256 {
				algorithm = jose.ES256
			}
			i := newIssuer(t, c.config)
			got := verified(t, i, assert(t, i, c.who, now), algorithm)
			if id, _ := got["jti"].(string); len(id) < 20 {
				t.Errorf("jti is %v", got["jti"])
			}
			delete(got, "jti")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNobodyIsNotVouchedFor(t *testing.T) {
	t.Parallel()
	if text, err := newIssuer(t, policy.Assertion{}).Assertion(&policy.Principal{TokenType: policy.SessionToken, OrgID: "org_1"}, now); err == nil {
		t.Errorf("vouched for: %s", text)
	}
}

func TestOneAssertionServesForHalfItsLife(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*policy.Principal)
		at     time.Duration
		same   bool
	}{
		"at once":                  {func(*policy.Principal) {}, 0, true},
		"within half its life":     {func(*policy.Principal) {}, 30*time.Second - 1, true},
		"after half its life":      {func(*policy.Principal) {}, 30 * time.Second, false},
		"another credential":       {func(p *policy.Principal) { p.TokenDigest = "digest-2" }, 0, false},
		"another role by the same": {func(p *policy.Principal) { p.OrgRole = "org:admin" }, 0, false},
		"fewer permissions":        {func(p *policy.Principal) { p.OrgPermissions = p.OrgPermissions[:1] }, 0, false},
		"an actor":                 {func(p *policy.Principal) { p.Actor = "user_9" }, 0, false},
		"an earlier end":           {func(p *policy.Principal) { p.ExpiresAt = now.Add(time.Second) }, 0, false},
		"a credential without id":  {func(p *policy.Principal) { p.TokenDigest = "" }, 0, false},
	} {
		i, p := newIssuer(t, policy.Assertion{}), member()
		first := assert(t, i, member(), now)
		c.change(p)
		if got := assert(t, i, p, now.Add(c.at)); (got == first) != c.same {
			t.Errorf("%s: the same assertion: %v, want %v", name, got == first, c.same)
		}
	}
}

func TestNoAssertionOutlivesItsCredential(t *testing.T) {
	t.Parallel()
	i, p := newIssuer(t, policy.Assertion{}), member()
	for at := now; at.Before(p.ExpiresAt.Add(5 * time.Second)); at = at.Add(7 * time.Second) {
		if exp := verified(t, i, assert(t, i, p, at), jose.EdDSA)["exp"].(float64); int64(exp) > p.ExpiresAt.Unix() {
			t.Fatalf("at %s it counts until %s", at, time.Unix(int64(exp), 0))
		}
	}
}

func TestAssertionsKeptAreBounded(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, policy.Assertion{})
	for n := range maxKept + 500 {
		p := member()
		p.TokenDigest = fmt.Sprint(n)
		i.kept.Set(p.TokenDigest, &signed{p, "a.b.c", now})
	}
	i.kept.CleanUp()
	if n := i.kept.EstimatedSize(); n > maxKept || n == 0 {
		t.Errorf("%d are kept, want at most %d", n, maxKept)
	}
}

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

func TestTheKeySetIsRead(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, policy.Assertion{})
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405, http.MethodOptions: 405} {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequest(method, Path, nil))
		if w.Code != want || (w.Body.Len() > 0) == (method == http.MethodHead) {
			t.Errorf("%s: %d with %d bytes", method, w.Code, w.Body.Len())
		}
	}
}

func BenchmarkAssertion(b *testing.B) {
	for _, algorithm := range []string{policy.EdDSA, policy.ES256} {
		i := newIssuer(b, policy.Assertion{Algorithm: algorithm})
		p := member()
		b.Run(algorithm+"/warm", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				assert(b, i, p, now)
			}
		})
		p = member()
		p.TokenDigest = ""
		b.Run(algorithm+"/signed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				assert(b, i, p, now)
			}
		})
	}
}
