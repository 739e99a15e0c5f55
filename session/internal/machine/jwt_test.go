package machine

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/jwt"
)

func TestMachineJWTsSpeakForTheirSubject(t *testing.T) {
	t.Parallel()
	hour, issued := now.Add(time.Hour), now.Add(-10*time.Second)
	tests := []struct {
		name  string
		token string
		want  *policy.Principal
	}{
		{"a machine", mint.M2M(t, nil, object{"team": "a"}), &policy.Principal{
			TokenType: policy.M2MToken, CredentialID: "mt_jwt", MachineID: "mch_caller", Scopes: []string{"mch_1", "mch_2"},
			Claims: object{"aud": []any{"mch_1", "mch_2"}, "scopes": "mch_1 mch_2", "team": "a"}, IssuedAt: issued, ExpiresAt: hour,
		}},
		{"a machine without scopes, which are those it may call", mint.M2M(t, nil, object{"scopes": nil}), &policy.Principal{
			TokenType: policy.M2MToken, CredentialID: "mt_jwt", MachineID: "mch_caller", Scopes: []string{"mch_1", "mch_2"},
			Claims: object{"aud": []any{"mch_1", "mch_2"}}, IssuedAt: issued, ExpiresAt: hour,
		}},
		{"a machine with nothing of its own", mint.M2M(t, nil, object{"scopes": nil, "aud": nil, "jti": nil, "iat": nil, "nbf": nil}), &policy.Principal{
			TokenType: policy.M2MToken, MachineID: "mch_caller", Scopes: []string{}, ExpiresAt: hour,
		}},
		{"an OAuth client, through an actor", mint.OAuth(t, nil, object{"scope": "a  b", "act": object{"sub": "user_2actor"}, "org_role": "org:admin"}), &policy.Principal{
			TokenType: policy.OAuthToken, CredentialID: "oat_jwt", UserID: "user_2member", ClientID: "client_1", Scopes: []string{"a", "b"}, Actor: "user_2actor",
			Claims: object{
				"iss": mint.Issuer, "sub": "user_2member", "client_id": "client_1", "jti": "oat_jwt", "scope": "a  b", "org_role": "org:admin",
				"act": object{"sub": "user_2actor"}, "iat": float64(now.Unix() - 10), "exp": float64(now.Unix() + 3600),
			}, IssuedAt: issued, ExpiresAt: hour,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := &sessiontest.Endpoint{}
			m := testMachines(t, e, nil)
			for range 2 { // the second time from the cache
				got := m.authenticate(t.Context(), netip.Addr{}, tt.token, anyToken, now)
				if diff := cmp.Diff(tt.want, got.Principal, ignoredOfPrincipals...); diff != "" {
					t.Fatalf("%s (%v): %s", got.Reason, got.Cause, diff)
				}
				if got.Principal.TokenDigest != digestOf(tt.token) {
					t.Error("the digest is not that of the token")
				}
			}
			e.ExpectCalls(t, 0, "to verify what is signed")
		})
	}
}

// Where the reference decides otherwise, compat says how.
func TestMachineJWTsThatDoNotHold(t *testing.T) {
	t.Parallel()
	const invalid, failed, mismatch = policy.ReasonTokenInvalid, policy.ReasonTokenVerification, policy.ReasonTokenType
	tests := []struct {
		name         string
		token        string
		want, compat policy.Reason
	}{
		{"an ordinary machine's", mint.M2M(t, nil, nil), "", ""},
		{"an ordinary client's", mint.OAuth(t, nil, nil), "", ""},
		{"the other type's name", mint.OAuth(t, object{"typ": "application/at+jwt"}, nil), "", ""},
		{"no category", mint.M2M(t, object{"cat": nil}, nil), "", ""},
		{"no type", mint.M2M(t, object{"typ": nil}, nil), "", ""},
		{"a party that nobody asks for", mint.M2M(t, nil, object{"azp": "https://evil.example"}), "", ""},
		{"expired within the leeway", mint.M2M(t, nil, object{"exp": now.Unix() - 4}), "", ""},

		{"a session's category", mint.M2M(t, object{"cat": unverified.CategorySession}, nil), invalid, invalid},
		{"a template's category", mint.M2M(t, object{"cat": unverified.CategoryTemplate}, nil), invalid, invalid},
		{"a category that says nothing", mint.M2M(t, object{"cat": unverified.CategoryIgnore}, nil), invalid, invalid},
		{"a session's category on a client's", mint.OAuth(t, object{"cat": unverified.CategorySession}, nil), invalid, ""},
		{"a machine's category on a client's", mint.OAuth(t, object{"cat": unverified.CategoryMachine}, nil), invalid, ""},
		{"a machine as a client", mint.OAuth(t, nil, object{"sub": "mch_1"}), failed, failed},
		{"a type in upper case", mint.OAuth(t, object{"typ": "AT+JWT"}, nil), mismatch, mismatch},
		{"another type", mint.M2M(t, object{"typ": "jwt"}, nil), failed, failed},
		{"a user as a machine", mint.M2M(t, nil, object{"sub": "user_1"}), mismatch, mismatch},
		{"an organization as a client", mint.OAuth(t, nil, object{"sub": "org_1"}), failed, ""},
		{"no subject", mint.OAuth(t, nil, object{"sub": nil}), failed, failed},
		{"a subject that cannot be a header", mint.OAuth(t, nil, object{"sub": "user_a\r\nX-Admin: 1"}), failed, ""},
		{"a client that cannot be a header", mint.OAuth(t, nil, object{"client_id": "a b"}), failed, ""},
		{"another issuer", mint.M2M(t, nil, object{"iss": "https://clerk.evil.example"}), failed, ""},
		{"no issuer", mint.OAuth(t, nil, object{"iss": nil}), failed, ""},
		{"expired", mint.M2M(t, nil, object{"exp": now.Unix() - 5}), failed, failed},
		{"without expiry", mint.OAuth(t, nil, object{"exp": nil}), failed, failed},
		{"an expiry that is text", mint.M2M(t, nil, object{"exp": "9999999999"}), failed, failed},
		{"an expiry out of range", mint.M2M(t, nil, object{"exp": 1e300}), failed, ""},
		{"not yet", mint.OAuth(t, nil, object{"nbf": now.Unix() + 6}), failed, failed},
		{"from the future", mint.OAuth(t, nil, object{"iat": now.Unix() + 6}), failed, failed},
		{"another algorithm's name", mint.M2M(t, object{"alg": "HS256"}, nil), failed, failed},
		{"no algorithm", mint.M2M(t, object{"alg": "none"}, nil), failed, failed},
		{"an unknown key", mint.M2M(t, object{"kid": "ins_other"}, nil), failed, failed},
		{"critical extensions", mint.M2M(t, object{"crit": []string{"x"}}, nil), invalid, ""},
		{"a key of its own", mint.M2M(t, object{"kid": nil, "jwk": mint.JWK("x", &mint.SigningKey().PublicKey)}, nil), failed, failed},
		{"another's signature", mint.Signed(t, mint.OtherKey(), strings.Split(mint.M2M(t, nil, nil), ".")[0], strings.Split(mint.M2M(t, nil, nil), ".")[1]), failed, failed},
		{"no signature", mint.M2M(t, nil, nil)[:strings.LastIndex(mint.M2M(t, nil, nil), ".")+1], mismatch, mismatch},
		{"a padded signature", mint.M2M(t, nil, nil) + "=", mismatch, mismatch},
		{"a fourth segment", mint.M2M(t, nil, nil) + ".e30", mismatch, mismatch},
		{"a session's token", mint.Token(t, nil), mismatch, mismatch},
	}
	for _, tt := range tests {
		for mode, want := range map[string]policy.Reason{"default": tt.want, "reference": tt.compat} {
			m := testMachines(t, &sessiontest.Endpoint{}, func(c *testConfig) { c.ReferenceCompat = mode == "reference" })
			for range 2 {
				got := m.authenticate(t.Context(), netip.Addr{}, tt.token, anyToken, now)
				if got.Reason != want || (got.Status == policy.SignedIn) != (want == "") || got.Status == policy.Unavailable {
					t.Errorf("%s (%s): %v for %q (%v), want %q", tt.name, mode, got.Status, got.Reason, got.Cause, want)
				}
			}
		}
	}
}

// otherKeys are keys that change.
type otherKeys struct{ jwt.KeySet }

func TestMachineJWTsAreJudgedAnewEachTime(t *testing.T) {
	t.Parallel()
	keys := &otherKeys{jwttest.Keys(t)}
	m := testMachinesUnder(t, keys, &sessiontest.Endpoint{}, nil)
	token := mint.M2M(t, nil, object{"exp": now.Unix() + 60})
	at := func(d time.Duration) policy.Reason {
		return m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now.Add(d)).Reason
	}
	for _, tt := range []struct {
		after time.Duration
		want  policy.Reason
	}{
		{0, ""}, {64 * time.Second, ""}, {65 * time.Second, policy.ReasonTokenVerification}, {0, ""}, {-time.Minute, policy.ReasonTokenVerification},
	} {
		if got := at(tt.after); got != tt.want {
			t.Errorf("after %v: %q, want %q", tt.after, got, tt.want)
		}
	}
	// The key of that id is another one now.
	rotated, err := jwt.ParseKeySet(mint.KeySet(t, mint.JWK(mint.Kid, &mint.OtherKey().PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	keys.KeySet = rotated
	if got := at(0); got != policy.ReasonTokenVerification {
		t.Errorf("under another key: %q", got)
	}
	keys.KeySet = jwttest.BrokenKeys{Err: jwt.ErrUnknownKey}
	if got := at(0); got != policy.ReasonTokenVerification {
		t.Errorf("without the key: %q", got)
	}
	keys.KeySet = jwttest.Keys(t)
	if got := at(0); got != "" {
		t.Errorf("under the key again: %q", got)
	}
}

func TestMachineJWTsWithoutKeysCannotBeTold(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	token := mint.OAuth(t, nil, nil)
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		change func(*testConfig)
		status policy.AuthStatus
		reason policy.Reason
	}{
		{"no keys", t.Context(), nil, policy.Unavailable, policy.ReasonKeysUnavailable},
		{"no keys in the reference", t.Context(), referenceCompat, policy.SignedOut, policy.ReasonTokenVerification},
		{"the request ended", ended, nil, policy.Unavailable, policy.ReasonCanceled},
	} {
		keys := jwttest.BrokenKeys{Err: jwt.ErrKeysUnavailable}
		if tt.ctx.Err() != nil {
			keys = jwttest.BrokenKeys{Err: tt.ctx.Err()}
		}
		m := testMachinesUnder(t, keys, &sessiontest.Endpoint{}, tt.change)
		if got := m.authenticate(tt.ctx, netip.Addr{}, token, anyToken, now); got.Status != tt.status || got.Reason != tt.reason {
			t.Errorf("%s: %v for %s (%v)", tt.name, got.Status, got.Reason, got.Cause)
		}
	}
}

func expectSession(t *testing.T, v *jwt.Verifier, token string, want policy.Reason) {
	t.Helper()
	for range 2 {
		if p, err := v.Verify(t.Context(), token, now); jwt.ReasonOf(err) != want || (p == nil) != (err != nil) || (err == nil) != (want == "") {
			t.Errorf("%v beside %v, want %q", p, err, want)
		}
	}
}

// One key signs all tokens of an instance, so that nothing but their kind tells
// them apart. No order of presenting them confuses the two judges.
func TestMachinesAndSessionsNeverTakeEachOthersTokens(t *testing.T) {
	t.Parallel()
	m, v := testMachines(t, &sessiontest.Endpoint{}, nil), jwttest.Verifier(t)
	machine := []string{mint.M2M(t, nil, object{"sid": "sess_1", "azp": "https://app.example.com"}), mint.OAuth(t, nil, object{"sid": "sess_1", "azp": "https://app.example.com"})}
	session := []string{mint.Token(t, nil), mint.Token(t, object{"scope": "a", "client_id": "client_1"})}
	for range 2 {
		for _, token := range machine {
			if got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now); got.Status != policy.SignedIn || got.Principal.SessionID != "" {
				t.Errorf("%s (%v)", got.Reason, got.Cause)
			}
			expectSession(t, v, token, policy.ReasonTokenType)
		}
		for _, token := range session {
			expectSession(t, v, token, "")
			if got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now); got.Reason != policy.ReasonTokenType {
				t.Errorf("%v for %s", got.Status, got.Reason)
			}
		}
	}
}
