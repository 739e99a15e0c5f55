package assertion

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/corpus"
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
		"the API key of an organization": {policy.Assertion{}, &policy.Principal{TokenType: policy.APIKey, OrgID: "org_1", Scopes: []string{"read"}}, map[string]any{
			"iss": "clerkgate", "sub": "org_1", "org_id": "org_1", "token_type": "api_key", "scope": "read", "iat": iat, "nbf": iat - 10, "exp": iat + 60,
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

// An upstream learns of each attribute, and an assertion about somebody else is made
// anew: none can be left out here.
func TestEveryAttributeIsAsserted(t *testing.T) {
	t.Parallel()
	for field, p := range corpus.PrincipalsByField() {
		text, err := json.Marshal(claimsOf(p))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range policy.Attributes() {
			first, _, _ := strings.Cut(a.Text(p), a.Separator)
			if !a.IsList() {
				first = a.Text(p)
			}
			if !strings.Contains(string(text)+subjectOf(p), first) {
				t.Errorf("%s is not in the claims %s", a.Name, text)
			}
		}
		if sameClaims(p, &policy.Principal{}) || sameClaims(&policy.Principal{}, p) {
			t.Errorf("a principal with another %s counts as the same", field)
		}
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
	for n := range maxCached + 500 {
		p := member()
		p.TokenDigest = fmt.Sprint(n)
		i.cache.Set(p.TokenDigest, &signed{p, "a.b.c", now})
	}
	i.cache.CleanUp()
	if n := i.cache.EstimatedSize(); n > maxCached || n == 0 {
		t.Errorf("%d are kept, want at most %d", n, maxCached)
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
