package machine

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/jwt"
)

const (
	testAPIKey  = "ak_aVerySecretKey/withSlash="
	testM2M     = "mt_aVerySecretToken"
	testOAuth   = "oat_aVerySecretToken"
	testSecret  = "sk_live_instanceSecret"
	testMachine = "ak_machineSecret"
)

var anyToken = policy.TokenTypes{policy.AnyToken}

func testMachines(tb testing.TB, transport http.RoundTripper, change func(*testConfig)) *Authenticator {
	tb.Helper()
	return testMachinesUnder(tb, jwttest.Keys(tb), transport, change)
}

func testMachinesUnder(tb testing.TB, keys jwt.KeySet, transport http.RoundTripper, change func(*testConfig)) *Authenticator {
	tb.Helper()
	cfg := testConfig{Options: Options{APIURL: "https://api.clerk.com", SecretKey: testSecret, MachineSecretKey: testMachine}}
	if change != nil {
		change(&cfg)
	}
	if cfg.ReferenceCompat && cfg.JWTKey == "" && cfg.SecretKey == "" {
		keys = nil
	}
	expected := jwttest.Expected
	expected.Audience, expected.ReferenceCompat = cfg.Audience, cfg.ReferenceCompat
	cfg.Signed, cfg.HTTPClient = jwt.NewMachineVerifier(expected, keys), &http.Client{Transport: transport}
	m, err := New(cfg.Options)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// testConfig are options as a configuration would have them.
type testConfig struct {
	Options
	JWTKey string
}

func referenceCompat(c *testConfig) { c.ReferenceCompat = true }

var ignoredOfPrincipals = []cmp.Option{cmpopts.IgnoreUnexported(policy.Principal{}), cmpopts.IgnoreFields(policy.Principal{}, "TokenDigest")}

func TestOpaqueTokensSpeakForWhomClerkSays(t *testing.T) {
	t.Parallel()
	inAMinute := now.Add(time.Minute)
	tests := []struct {
		name    string
		token   string
		changes object
		want    *policy.Principal
		path    string
		body    string
		secret  string
	}{
		{
			"an API key of a user", testAPIKey, nil,
			&policy.Principal{TokenType: policy.APIKey, CredentialID: "ak_1", UserID: "user_2member", Scopes: []string{"a:read"}, Claims: object{"team": "a"}},
			"/api_keys/verify", `{"secret":"` + testAPIKey + `"}`, testSecret,
		},
		{
			"an API key of an organization", testAPIKey, object{"subject": "org_2acme", "claims": nil, "scopes": nil, "expiration": inAMinute.UnixMilli()},
			&policy.Principal{TokenType: policy.APIKey, CredentialID: "ak_1", OrgID: "org_2acme", Scopes: []string{}, ExpiresAt: inAMinute},
			"/api_keys/verify", `{"secret":"` + testAPIKey + `"}`, testSecret,
		},
		{
			"a machine, asked about with the machine's secret", testM2M, nil,
			&policy.Principal{TokenType: policy.M2MToken, CredentialID: "mt_1", MachineID: "mch_caller", Scopes: []string{"mch_1", "mch_2"}},
			"/m2m_tokens/verify", `{"token":"` + testM2M + `"}`, testMachine,
		},
		{
			"an OAuth client, whose times are in seconds", testOAuth, object{"expiration": inAMinute.Unix(), "act": object{"sub": "user_2actor"}},
			&policy.Principal{TokenType: policy.OAuthToken, CredentialID: "oat_1", UserID: "user_2member", ClientID: "client_1", Scopes: []string{"profile"}, Actor: "user_2actor", ExpiresAt: inAMinute},
			"/oauth_applications/access_tokens/verify", `{"access_token":"` + testOAuth + `"}`, testSecret,
		},
		{
			"claims that look like an organization's stay claims", testAPIKey, object{"claims": object{"org_role": "org:admin", "o": object{"rol": "admin"}, "fea": "u:ai", "sid": "sess_1"}},
			&policy.Principal{TokenType: policy.APIKey, CredentialID: "ak_1", UserID: "user_2member", Scopes: []string{"a:read"}, Claims: object{"org_role": "org:admin", "o": object{"rol": "admin"}, "fea": "u:ai", "sid": "sess_1"}},
			"/api_keys/verify", `{"secret":"` + testAPIKey + `"}`, testSecret,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := &sessiontest.Endpoint{}
			e.Set(http.StatusOK, sessiontest.APIAnswer(t, tt.want.TokenType, tt.changes), nil, 0)
			m := testMachines(t, e, nil)
			for range 3 {
				got := m.authenticate(t.Context(), netip.Addr{}, tt.token, anyToken, now)
				if diff := cmp.Diff(tt.want, got.Principal, ignoredOfPrincipals...); diff != "" || got.Status != policy.SignedIn || !got.Presented {
					t.Fatalf("%s (%v): %s", got.Reason, got.Cause, diff)
				}
				if got.Principal.TokenDigest != digestOf(tt.token) {
					t.Error("the digest is not that of the token")
				}
			}
			e.ExpectCalls(t, 1, "for a token presented again")
			body, err := e.Last.GetBody()
			if err != nil {
				t.Fatal(err)
			}

			if sent := sessiontest.ReadAll(t, body); sent != tt.body {
				t.Errorf("sent %s", sent)
			}
			if e.Last.Method != http.MethodPost || e.Last.URL.String() != "https://api.clerk.com"+tt.path || e.Last.Header.Get("Authorization") != "Bearer "+tt.secret {
				t.Errorf("asked %s %s as %s", e.Last.Method, e.Last.URL, e.Last.Header.Get("Authorization"))
			}
		})
	}
}

func TestTypesThatAreNotAcceptedCostNoCall(t *testing.T) {
	t.Parallel()
	e := &sessiontest.Endpoint{}
	m := testMachines(t, e, nil)
	signed := mint.M2M(t, nil, nil)
	for _, tt := range []struct {
		token  string
		accept policy.TokenTypes
	}{
		{testAPIKey, policy.TokenTypes{}},
		{testAPIKey, nil},
		{testAPIKey, policy.TokenTypes{policy.SessionToken}},
		{testAPIKey, policy.TokenTypes{policy.M2MToken, policy.OAuthToken}},
		{testM2M, policy.TokenTypes{policy.APIKey}},
		{testOAuth, policy.TokenTypes{policy.APIKey, policy.M2MToken}},
		{signed, policy.TokenTypes{policy.APIKey, policy.OAuthToken}},
		{"AK_upper", anyToken},
		{"anything", anyToken},
		{mint.Token(t, nil), anyToken},
		{"", anyToken},
	} {
		got := m.authenticate(t.Context(), netip.Addr{}, tt.token, tt.accept, now)
		if got.Status != policy.SignedOut || got.Reason != policy.ReasonTokenType || !got.Presented || got.Principal != nil {
			t.Errorf("%.9s where %q is accepted: %v for %s", tt.token, tt.accept, got.Status, got.Reason)
		}
	}
	e.ExpectCalls(t, 0, "for types that are not accepted")
}

func TestBearerTokensGoToTheirOwnJudge(t *testing.T) {
	t.Parallel()
	const toSession = policy.Reason("left to the session verifier")
	e := &sessiontest.Endpoint{}
	e.Set(http.StatusNotFound, []byte("{}"), nil, 0)
	session, m2m := policy.SessionToken, policy.M2MToken
	for _, tt := range []struct {
		name   string
		token  string
		accept policy.TokenTypes
		want   policy.Reason
		compat policy.Reason
	}{
		{"a session's token where it alone counts", mint.Token(t, nil), policy.TokenTypes{session}, toSession, toSession},
		{"a session's token beside others", mint.Token(t, nil), policy.TokenTypes{session, m2m}, toSession, toSession},
		{"a session's token where any counts", mint.Token(t, nil), anyToken, toSession, toSession},
		{"a session's token where it does not count", mint.Token(t, nil), policy.TokenTypes{m2m}, policy.ReasonTokenType, policy.ReasonTokenType},
		{"garbage", "garbage", anyToken, toSession, toSession},
		{"an API key where sessions alone count", testAPIKey, policy.TokenTypes{session}, policy.ReasonTokenType, toSession},
		{"an API key beside sessions", testAPIKey, policy.TokenTypes{session, policy.APIKey}, policy.ReasonTokenInvalid, policy.ReasonTokenInvalid},
		{"a machine's token where sessions alone count, which they refuse", mint.M2M(t, nil, nil), policy.TokenTypes{session}, toSession, toSession},
		{"a machine's token beside sessions", mint.M2M(t, nil, nil), policy.TokenTypes{session, m2m}, "", ""},
		{"a machine's token where another's counts", mint.M2M(t, nil, nil), policy.TokenTypes{session, policy.OAuthToken}, policy.ReasonTokenType, policy.ReasonTokenType},
	} {
		for name, want := range map[string]policy.Reason{"default": tt.want, "reference": tt.compat} {
			m := testMachines(t, e, func(c *testConfig) { c.ReferenceCompat = name == "reference" })
			got := m.Bearer(t.Context(), netip.Addr{}, tt.token, tt.accept, now, func(_ context.Context, token string, at time.Time) policy.AuthState {
				if token != tt.token || !at.Equal(now) {
					t.Error("another token or time is handed on")
				}
				return policy.AuthState{Reason: toSession}
			})
			if got.Reason != want {
				t.Errorf("%s (%s): %s (%v), want %s", tt.name, name, got.Reason, got.Cause, want)
			}
		}
	}
}

func TestMachineErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = "canaryInTheAnswer"
	answers := map[string]*sessiontest.Endpoint{
		"refused":    {Status: http.StatusNotFound, Body: []byte(`{"errors":[{"message":"` + canary + `"}]}`)},
		"forbidden":  {Status: http.StatusForbidden, Body: []byte(canary)},
		"garbled":    {Status: http.StatusOK, Body: []byte(`{"` + canary)},
		"repeated":   {Status: http.StatusOK, Body: []byte(`{"` + canary + `":1,"` + canary + `":2}`)},
		"odd":        {Status: http.StatusOK, Body: []byte(`{"id":"` + canary + ` ","subject":"` + canary + ` "}`)},
		"odd time":   {Status: http.StatusOK, Body: []byte(`{"id":"a","subject":"b","expiration":"` + canary + `"}`)},
		"no network": {Err: errors.New("connection refused")},
	}
	tokens := []string{testAPIKey, testM2M, testOAuth, mint.M2M(t, nil, object{"exp": 1, "secret": canary}), mint.OAuth(t, nil, object{"iss": canary})}
	for name, e := range answers {
		for _, token := range tokens {
			got := testMachines(t, e, nil).authenticate(t.Context(), netip.Addr{}, token, anyToken, now)
			if got.Cause == nil {
				t.Errorf("%s: taken", name)
				continue
			}
			for _, secret := range []string{token, token[4:], testSecret, testMachine, canary} {
				if strings.Contains(got.Cause.Error(), secret) {
					t.Errorf("%s: the error is %v", name, got.Cause)
				}
			}
		}
	}
}

func TestMachinesNeedASecretToAskWith(t *testing.T) {
	t.Parallel()
	e := &sessiontest.Endpoint{}
	m := testMachines(t, e, func(c *testConfig) { c.SecretKey = "" })
	for _, token := range []string{testAPIKey, testOAuth} {
		if got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now); got.Status != policy.Unavailable || got.Reason != policy.ReasonSecretKeyInvalid {
			t.Errorf("%.4s: %v for %s", token, got.Status, got.Reason)
		}
	}
	e.ExpectCalls(t, 0, "without a secret")
	// The reference wants the instance's key for all but machines' tokens alone.
	m = testMachines(t, e, func(c *testConfig) { c.SecretKey, c.JWTKey, c.ReferenceCompat = "", "a key", true })
	for _, tt := range []struct {
		token  string
		accept policy.TokenTypes
		want   policy.Reason
	}{
		{testAPIKey, policy.TokenTypes{policy.APIKey}, policy.ReasonSecretKeyInvalid},
		{mint.OAuth(t, nil, nil), policy.TokenTypes{policy.OAuthToken}, policy.ReasonSecretKeyInvalid},
		{mint.M2M(t, nil, nil), anyToken, policy.ReasonSecretKeyInvalid},
		{mint.M2M(t, nil, nil), policy.TokenTypes{policy.M2MToken}, ""},
	} {
		if got := m.authenticate(t.Context(), netip.Addr{}, tt.token, tt.accept, now); got.Reason != tt.want || got.Status == policy.Unavailable {
			t.Errorf("%.4s where %q is accepted: %v for %q", tt.token, tt.accept, got.Status, got.Reason)
		}
	}
	m = testMachines(t, e, func(c *testConfig) { c.SecretKey, c.ReferenceCompat = "", true })
	if got := m.authenticate(t.Context(), netip.Addr{}, mint.M2M(t, nil, nil), policy.TokenTypes{policy.M2MToken}, now); got.Reason != policy.ReasonTokenVerification {
		t.Errorf("without any key: %v for %q", got.Status, got.Reason)
	}
	if _, err := New(Options{APIURL: "http://api.example.com"}); err == nil {
		t.Error("secrets would travel in the clear")
	}
}
