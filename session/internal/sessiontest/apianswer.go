package sessiontest

import (
	"encoding/json"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// APIAnswer is Clerk's answer about a token of the type, with some members
// changed.
func APIAnswer(tb testing.TB, kind policy.TokenType, changes object) []byte {
	tb.Helper()
	answers := map[policy.TokenType]object{
		policy.APIKey:     {"object": "api_key", "id": "ak_1", "subject": "user_2member", "name": "ci", "claims": object{"team": "a"}, "scopes": []string{"a:read"}},
		policy.M2MToken:   {"object": "machine_to_machine_token", "id": "mt_1", "subject": "mch_caller", "claims": nil, "scopes": []string{"mch_1", "mch_2"}},
		policy.OAuthToken: {"object": "clerk_idp_oauth_access_token", "id": "oat_1", "client_id": "client_1", "subject": "user_2member", "scopes": []string{"profile"}},
	}
	common := object{"revoked": false, "revocation_reason": nil, "expired": false, "expiration": nil, "created_at": mint.Now.UnixMilli()}
	data, err := json.Marshal(mint.With(mint.With(answers[kind], common), changes))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
