package jwt

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// reasonOf returns the reason of a refusal, or "" for none.
func reasonOf(t *testing.T, err error) policy.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is not an *Error", err)
	}
	return e.Reason
}

func TestVerifyReadsAnOrdinaryToken(t *testing.T) {
	t.Parallel()
	got, err := testVerifier(t).Verify(t.Context(), mint.Token(t, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	want := &policy.Principal{
		TokenType: policy.SessionToken, UserID: "user_2member", SessionID: "sess_2session", SessionStatus: "active",
		OrgID: "org_2acme", OrgSlug: "acme", OrgRole: "org:admin",
		OrgPermissions: []string{"org:docs:read", "org:docs:manage", "org:billing:read"},
		Features:       policy.Entitlements{Org: []string{"docs", "billing"}, User: []string{"ai"}},
		Plans:          policy.Entitlements{Org: []string{"pro"}, User: []string{"free"}},
		Factors:        policy.FactorAges{First: 5, Second: -1, Known: true},
		IssuedAt:       now, ExpiresAt: now.Add(time.Minute),
	}
	ignored := []cmp.Option{cmpopts.IgnoreUnexported(policy.Principal{}), cmpopts.IgnoreFields(policy.Principal{}, "TokenDigest", "Claims")}
	if diff := cmp.Diff(want, got, ignored...); diff != "" {
		t.Error(diff)
	}
	if got.Claims["jti"] != "0123456789abcdef0123" || got.Claims["v"] != float64(2) {
		t.Errorf("claims are not as in the token: %v", got.Claims)
	}
}

// The attacks on tokens live in internal/conformance. This table holds the
// reasons, and the reference's view of the same tokens.
func TestVerifyHeaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		header    object
		want      policy.Reason
		reference policy.Reason
	}{
		{"no type is fine", object{"typ": nil}, "", ""},
		{"no category is fine", object{"cat": nil}, "", ""},
		{"an instance may opt out of categories", object{"cat": unverified.CategoryIgnore}, "", ""},
		{"a template token is no session", object{"cat": "cl_B7d4PD222AAA"}, policy.ReasonTokenType, ""},
		{"a machine token is no session", object{"cat": "cl_B7d4PD333AAA"}, policy.ReasonTokenType, policy.ReasonTokenInvalid},
		{"an unknown category is no session", object{"cat": "cl_new"}, policy.ReasonTokenType, ""},
		{"an OAuth access token is no session", object{"typ": "at+jwt"}, policy.ReasonTokenType, policy.ReasonTokenInvalid},
		{"types are case-sensitive", object{"typ": "jwt"}, policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"no algorithm", object{"alg": "none"}, policy.ReasonTokenAlgorithm, policy.ReasonTokenAlgorithm},
		{"a symmetric algorithm", object{"alg": "HS256"}, policy.ReasonTokenAlgorithm, policy.ReasonTokenAlgorithm},
		{"an algorithm the key does not name", object{"alg": "RS512"}, policy.ReasonTokenAlgorithm, policy.ReasonTokenVerification},
		{"an unknown key", object{"kid": "ins_other"}, policy.ReasonKidMismatch, policy.ReasonKidMismatch},
		{"no key", object{"kid": nil}, policy.ReasonKidMismatch, policy.ReasonKidMismatch},
		{"a key that is a number", object{"kid": 7}, policy.ReasonKidMismatch, policy.ReasonKidMismatch},
		{"critical extensions", object{"crit": []string{"exp"}}, policy.ReasonTokenInvalid, ""},
		{"unencoded payloads", object{"b64": false}, policy.ReasonTokenInvalid, ""},
		{"nested content", object{"cty": "JWT"}, policy.ReasonTokenInvalid, ""},
		{"a key inside the token is not looked at", object{"jwk": object{"kty": "RSA"}}, "", ""},
		{"an unknown key before a bad type, in the reference", object{"kid": "ins_other", "typ": "jwt"}, policy.ReasonTokenInvalid, policy.ReasonKidMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token := mint.TokenOf(t, mint.With(mint.Header, tt.header), mint.Claims())
			expectReason(t, testVerifier(t), token, tt.want)
			expectReason(t, referenceVerifier(t), token, tt.reference)
		})
	}
}

func TestVerifyClaims(t *testing.T) {
	t.Parallel()
	at := now.Unix()
	tests := []struct {
		name      string
		claims    object
		want      policy.Reason
		reference policy.Reason
	}{
		{"no session id is fine", object{"sid": nil}, "", ""},
		{"no issue time is fine", object{"iat": nil, "nbf": nil}, "", ""},
		{"no subject", object{"sub": nil}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		{"an empty subject", object{"sub": ""}, policy.ReasonTokenVerification, ""},
		{"a subject that splits a header", object{"sub": "a\r\nb"}, policy.ReasonTokenVerification, ""},
		{"a session id of another type", object{"sid": 1}, policy.ReasonTokenVerification, ""},
		{"a machine subject", object{"sub": "mch_2a"}, policy.ReasonTokenType, ""},
		{"another issuer", object{"iss": "https://clerk.evil.com"}, policy.ReasonIssuer, ""},
		{"an issuer with a slash", object{"iss": mint.Issuer + "/"}, policy.ReasonIssuer, ""},
		{"no issuer", object{"iss": nil}, policy.ReasonIssuer, ""},
		{"another party", object{"azp": "https://evil.com"}, policy.ReasonTokenParties, policy.ReasonTokenParties},
		{"no party", object{"azp": nil}, policy.ReasonTokenParties, policy.ReasonTokenParties},
		{"no expiry", object{"exp": nil}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		{"an expiry in text", object{"exp": "9999999999"}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		{"an expiry beyond all years", object{"exp": 1e300}, policy.ReasonTokenVerification, ""},
		{"expired within the leeway", object{"exp": at - 4}, "", ""},
		{"expired by the leeway", object{"exp": at - 5}, policy.ReasonTokenExpired, policy.ReasonTokenExpired},
		{"expired by the leeway but for a fraction", object{"exp": float64(at) - 4.5}, "", policy.ReasonTokenExpired},
		{"not active within the leeway", object{"nbf": at + 5}, "", ""},
		{"not active yet", object{"nbf": at + 6}, policy.ReasonTokenNotActive, policy.ReasonTokenNotActive},
		{"issued in the future", object{"iat": at + 6}, policy.ReasonTokenFromFuture, policy.ReasonTokenFromFuture},
		{"an issue time of another type", object{"iat": true}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		{"a pending session", object{"sts": "pending"}, policy.ReasonSessionPending, policy.ReasonSessionPending},
		{"an unknown status", object{"sts": "ended"}, policy.ReasonTokenVerification, ""},
		{"a factor age that is text", object{"fva": "0,0"}, policy.ReasonTokenVerification, ""},
		{"three factor ages", object{"fva": []int{1, 2, 3}}, policy.ReasonTokenVerification, ""},
		{"an organization without an id", object{"o": object{"rol": "admin"}}, policy.ReasonTokenVerification, ""},
		{"an organization that is a list", object{"o": []string{"org_2acme"}}, policy.ReasonTokenVerification, ""},
		{"a role that splits a header", object{"o": object{"id": "org_2acme", "rol": "a\nb"}}, policy.ReasonTokenVerification, ""},
		{"a version 1 role in a version 2 token", object{"org_role": []string{"org:admin"}}, policy.ReasonTokenVerification, ""},
		{"an actor without a name", object{"act": object{}}, policy.ReasonTokenVerification, ""},
		{"a feature without a scope", object{"fea": "docs"}, policy.ReasonTokenVerification, policy.ReasonUnexpectedError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token := mint.Token(t, tt.claims)
			expectReason(t, testVerifier(t), token, tt.want)
			expectReason(t, referenceVerifier(t), token, tt.reference)
		})
	}
}

func TestVerifyForms(t *testing.T) {
	t.Parallel()
	token := mint.Token(t, nil)
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	resigned := func(payload string) string {
		return mint.Signed(t, mint.SigningKey(), mint.JSONSegment(t, mint.Header), mint.Segment([]byte(payload)))
	}
	body := `"sub":"user_2member","exp":` + "1750000060" + `,"iss":"` + mint.Issuer + `","azp":"https://app.example.com"`
	tests := []struct {
		name      string
		token     string
		want      policy.Reason
		reference policy.Reason
	}{
		{"nothing", "", policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"two segments", header + "." + payload, policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"four segments", token + ".", policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"no signature", header + "." + payload + ".", policy.ReasonTokenInvalid, policy.ReasonTokenSignature},
		{"a padded signature", token + "==", policy.ReasonTokenInvalid, ""},
		{"a line break in a segment", header + ".\n" + payload + "." + signature, policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"an escape in a segment", "%65" + token[1:], policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"another signature", header + "." + payload + "." + mint.Segment(make([]byte, 256)), policy.ReasonTokenSignature, policy.ReasonTokenSignature},
		{"a payload that is no object", resigned(`[1]`), policy.ReasonTokenInvalid, policy.ReasonTokenVerification},
		{"a payload that is null", resigned(`null`), policy.ReasonTokenInvalid, policy.ReasonUnexpectedError},
		{"white space in the payload", resigned("{\n" + body + "\n}"), "", ""},
		{"a member twice", resigned(`{"sub":"user_1",` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"a member twice, once escaped", resigned(`{"s\u0075b":"user_1",` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"a member twice, deep down", resigned(`{"x":[{"a":1,"a":2}],` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"something after the payload", resigned(`{` + body + `} {}`), policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"a byte-order mark", resigned("\ufeff{" + body + "}"), policy.ReasonTokenInvalid, ""},
		{"ill-formed UTF-8", resigned("{\"x\":\"\xff\"," + body + "}"), policy.ReasonTokenInvalid, ""},
		{"an unpaired surrogate", resigned(`{"x":"\ud800",` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"64 levels", resigned(`{"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `,` + body + `}`), "", ""},
		{"65 levels", resigned(`{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `,` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"65 levels of objects", resigned(`{"x":` + strings.Repeat(`{"y":`, 64) + "1" + strings.Repeat("}", 64) + `,` + body + `}`), policy.ReasonTokenInvalid, ""},
		{"a name in another case is another name", resigned(`{"SUB":"user_1",` + body + `}`), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expectReason(t, testVerifier(t), tt.token, tt.want)
			expectReason(t, referenceVerifier(t), tt.token, tt.reference)
		})
	}
}

func referenceVerifier(tb testing.TB) *Verifier {
	tb.Helper()
	rules := testExpected
	rules.Issuers, rules.ReferenceCompat = nil, true
	return NewVerifier(rules, testKeys(tb), NewCache())
}

// expectReason verifies twice, since a token that was seen before must not fare
// otherwise.
func expectReason(t *testing.T, v *Verifier, token string, want policy.Reason) {
	t.Helper()
	for _, occasion := range []string{"first", "second"} {
		p, err := v.Verify(t.Context(), token, now)
		if got := reasonOf(t, err); got != want {
			t.Errorf("reason %q the %s time, want %q (%v)", got, occasion, want, err)
		}
		if (p == nil) != (err != nil) {
			t.Errorf("principal %v beside error %v", p, err)
		}
	}
}

func TestVerifyComparesTheAudienceOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	rules := testExpected
	rules.Audience = []string{"api", "web"}
	relaxed := rules
	relaxed.relaxed.Audience = true
	for name, tt := range map[string]struct {
		aud             any
		strict, lenient bool
	}{
		"none":                  {nil, true, true},
		"empty":                 {"", true, true},
		"one of them":           {"web", true, true},
		"another":               {"app", false, false},
		"a list with one":       {[]any{"app", "web"}, true, true},
		"a list without":        {[]any{"app"}, false, false},
		"an empty list":         {[]any{}, true, true},
		"a number":              {float64(5), false, true},
		"an object":             {map[string]any{}, false, true},
		"a list with a number":  {[]any{"web", float64(1)}, false, true},
		"a list of empty texts": {[]any{""}, true, true},
	} {
		if got := rules.audience(tt.aud); got != tt.strict {
			t.Errorf("%s: %v, want %v", name, got, tt.strict)
		}
		if got := relaxed.audience(tt.aud); got != tt.lenient {
			t.Errorf("%s, in the reference: %v, want %v", name, got, tt.lenient)
		}
	}
}

func TestVerifyForgetsNothingItMustCheck(t *testing.T) {
	t.Parallel()
	cache, token := NewCache(), mint.Token(t, nil)
	keys := testKeys(t)
	first, err := NewVerifier(testExpected, keys, cache).Verify(t.Context(), token, now)
	if err != nil {
		t.Fatal(err)
	}

	again, err := NewVerifier(testExpected, testKeys(t), cache).Verify(t.Context(), token, now)
	if err != nil || again != first {
		t.Errorf("a token seen before is verified anew: %v", err)
	}
	_, err = NewVerifier(testExpected, keys, cache).Verify(t.Context(), token, now.Add(2*time.Minute))
	if got := reasonOf(t, err); got != policy.ReasonTokenExpired {
		t.Errorf("after its time: %q", got)
	}
	_, err = NewVerifier(Expected{Issuers: []string{"https://other"}}, keys, cache).Verify(t.Context(), token, now)
	if got := reasonOf(t, err); got != policy.ReasonIssuer {
		t.Errorf("under other rules: %q", got)
	}
	rotated, err := ParseKeySet(mint.KeySet(t, mint.JWK("ins_next", &mint.SigningKey().PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewVerifier(testExpected, rotated, cache).Verify(t.Context(), token, now)
	if got := reasonOf(t, err); got != policy.ReasonKidMismatch {
		t.Errorf("with its key gone: %q", got)
	}
	replaced, err := ParseKeySet(mint.KeySet(t, mint.JWK(mint.Kid, &mint.OtherKey().PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewVerifier(testExpected, replaced, cache).Verify(t.Context(), token, now)
	if got := reasonOf(t, err); got != policy.ReasonTokenSignature {
		t.Errorf("with another key of the same id: %q", got)
	}
}

func TestVerifyDoesNotRememberLongTokens(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	long := mint.Token(t, object{"x": strings.Repeat("x", maxCachedToken)})
	for range 2 {
		if _, err := v.Verify(t.Context(), long, now); err != nil {
			t.Fatal(err)
		}
	}
	if v.cache.get(fingerprint.Of(long)) != nil {
		t.Error("the token was kept")
	}
}

func TestVerifyTellsMissingKeysFromBadTokens(t *testing.T) {
	t.Parallel()
	_, err := NewVerifier(testExpected, brokenKeys{ErrKeysUnavailable}, nil).Verify(t.Context(), mint.Token(t, nil), now)
	if got := reasonOf(t, err); got != policy.ReasonKeysUnavailable || !errors.Is(err, ErrKeysUnavailable) {
		t.Errorf("reason %q, error %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewVerifier(testExpected, brokenKeys{ended.Err()}, nil).Verify(ended, mint.Token(t, nil), now)
	if got := reasonOf(t, err); got != policy.ReasonCanceled {
		t.Errorf("reason %q after the request ended", got)
	}
}

func TestErrorsHoldNoTextOfTheToken(t *testing.T) {
	t.Parallel()
	token := mint.Token(t, object{"sub": "user_verysecret\x00"})
	for _, presented := range []string{token, token + "x", "verysecret.verysecret.verysecret"} {
		_, err := testVerifier(t).Verify(t.Context(), presented, now)
		if err == nil || strings.Contains(err.Error(), "verysecret") || strings.Contains(err.Error(), presented[:20]) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestVerifyInTheReferenceAsTheKeySays(t *testing.T) {
	t.Parallel()
	token := mint.Token(t, nil)
	header := mint.JSONSegment(t, mint.With(mint.Header, object{"alg": "RS512"}))
	sum := sha512.Sum512([]byte(header + "." + mint.JSONSegment(t, mint.Claims())))
	signature, err := rsa.SignPKCS1v15(rand.Reader, mint.SigningKey(), crypto.SHA512, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	long := header + "." + mint.JSONSegment(t, mint.Claims()) + "." + mint.Segment(signature)
	tests := map[string]struct {
		key           object
		short, longer policy.Reason
	}{
		"RS256":          {nil, "", policy.ReasonTokenVerification},
		"RS512":          {object{"alg": "RS512"}, policy.ReasonTokenVerification, ""},
		"any":            {object{"alg": nil}, "", ""},
		"for encryption": {object{"use": "enc"}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		"for signing":    {object{"key_ops": []string{"sign"}}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
		"another kind":   {object{"kty": "EC"}, policy.ReasonTokenVerification, policy.ReasonTokenVerification},
	}
	for name, tt := range tests {
		keys, err := parseKeySet(mint.KeySet(t, mint.With(mint.JWK(mint.Kid, &mint.SigningKey().PublicKey), tt.key)), compat.Reference)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := NewVerifier(Expected{Leeway: 5 * time.Second, ReferenceCompat: true}, keys, nil)
		expectReason(t, v, token, tt.short)
		expectReason(t, v, long, tt.longer)
	}
}

// Limits tell tokens apart by their digest, which is no token itself.
func TestVerifyGivesEachTokenItsDigest(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	digests := map[string]bool{}
	for _, sid := range []string{"sess_1", "sess_2"} {
		token := mint.Token(t, object{"sid": sid})
		for range 2 { // the second time from the cache
			p, err := v.Verify(t.Context(), token, now)
			if err != nil || len(p.TokenDigest) != sha256.Size || strings.Contains(token, p.TokenDigest) {
				t.Fatalf("digest %x, %v", p.TokenDigest, err)
			}
			digests[p.TokenDigest] = true
		}
	}
	if len(digests) != 2 {
		t.Errorf("%d digests of two tokens", len(digests))
	}
}
