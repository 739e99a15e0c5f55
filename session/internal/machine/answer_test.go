package machine

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// What Clerk's answer may not be, and what it makes of the token.
func TestAnswersThatVouchForNobody(t *testing.T) {
	t.Parallel()
	type verdict struct {
		status policy.AuthStatus
		reason policy.Reason
	}
	invalid := verdict{policy.SignedOut, policy.ReasonTokenInvalid}
	other := verdict{policy.SignedOut, policy.ReasonTokenVerification}
	outage := verdict{policy.Unavailable, policy.ReasonClerkUnavailable}
	tests := []struct {
		name    string
		kind    policy.TokenType
		changes object
		want    verdict
	}{
		{"revoked", policy.APIKey, object{"revoked": true}, invalid},
		{"expired", policy.APIKey, object{"expired": true}, invalid},
		{"expiring now", policy.APIKey, object{"expiration": now.UnixMilli()}, invalid},
		{"expired a second ago, in seconds", policy.OAuthToken, object{"expiration": now.Unix() - 1}, invalid},
		{"expired at the beginning of time", policy.M2MToken, object{"expiration": 0}, invalid},
		{"expired before it", policy.M2MToken, object{"expiration": -1}, invalid},
		{"a text for a flag", policy.APIKey, object{"revoked": "false"}, outage},
		{"a number for a flag", policy.APIKey, object{"expired": 0}, outage},
		{"a text for a time", policy.APIKey, object{"expiration": "2099-01-01"}, outage},
		{"no subject", policy.APIKey, object{"subject": ""}, outage},
		{"no id", policy.M2MToken, object{"id": nil}, outage},
		{"a number for a subject", policy.APIKey, object{"subject": 7}, outage},
		{"scopes that are no list", policy.APIKey, object{"scopes": "a b"}, outage},
		{"scopes that are no texts", policy.APIKey, object{"scopes": []any{"a", 1}}, outage},
		{"claims that are no object", policy.APIKey, object{"claims": []string{"a"}}, outage},
		{"a subject that cannot be a header", policy.APIKey, object{"subject": "user_a\nX-Admin: 1"}, other},
		{"a machine's subject on an API key", policy.APIKey, object{"subject": "mch_1"}, other},
		{"a user's subject on a machine's token", policy.M2MToken, object{"subject": "user_1"}, other},
		{"an organization's subject on an OAuth token", policy.OAuthToken, object{"subject": "org_1"}, other},
		{"an id that is none", policy.APIKey, object{"id": "ak 1"}, other},
		{"a client that is none", policy.OAuthToken, object{"client_id": "a b"}, other},
	}
	tokens := map[policy.TokenType]string{policy.APIKey: testAPIKey, policy.M2MToken: testM2M, policy.OAuthToken: testOAuth}
	for _, tt := range tests {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, sessiontest.APIAnswer(t, tt.kind, tt.changes), nil, 0)
		m := testMachines(t, e, nil)
		got := m.authenticate(t.Context(), netip.Addr{}, tokens[tt.kind], anyToken, now)
		if (verdict{got.Status, got.Reason}) != tt.want || got.Principal != nil || got.Cause == nil {
			t.Errorf("%s: %v for %s (%v)", tt.name, got.Status, got.Reason, got.Cause)
		}
	}
}

func TestAudiencesOfOAuthTokens(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		configured policy.StringList
		aud        any
		taken      bool
	}{
		{nil, "https://other.example", true},
		{nil, nil, true},
		{policy.StringList{"https://api.example"}, nil, false},
		{policy.StringList{"https://api.example"}, "https://api.example", true},
		{policy.StringList{"https://api.example"}, "https://API.example", false},
		{policy.StringList{"https://a.example", "https://api.example"}, []string{"https://x.example", "https://api.example"}, true},
		{policy.StringList{"https://api.example"}, []string{"https://x.example"}, false},
		{policy.StringList{"https://api.example"}, []string{}, false},
		{policy.StringList{"https://api.example"}, "", false},
		{policy.StringList{"https://api.example"}, []string{"", "https://api.example"}, false},
		{policy.StringList{"https://api.example"}, []any{"https://api.example", 1}, false},
		{policy.StringList{"https://api.example"}, object{"a": 1}, false},
	} {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, sessiontest.APIAnswer(t, policy.OAuthToken, object{"aud": tt.aud}), nil, 0)
		m := testMachines(t, e, func(c *testConfig) { c.Audience = tt.configured })
		signed := mint.OAuth(t, nil, object{"aud": tt.aud})
		for _, token := range []string{testOAuth, testOAuth, signed, signed} {
			if got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, now); (got.Status == policy.SignedIn) != tt.taken {
				t.Errorf("%.4s for %v where %v counts: %s (%v)", token, tt.aud, tt.configured, got.Reason, got.Cause)
			}
		}
	}
}
