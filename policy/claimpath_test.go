package policy_test

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// A claim that is named by a URL is named everywhere in one way, and any other way
// is an error: else a condition below "not" would be met by everybody.
func TestClaimsNamedByAURL(t *testing.T) {
	t.Parallel()
	who := member()
	who.Claims = map[string]any{"https://hasura.io/jwt/claims": map[string]any{"x-hasura-role": "editor"}, "a.b": "dot", `a\b`: "backslash", "plain": map[string]any{"tier": "pro"}}
	for path, want := range map[string]any{
		`https://hasura\.io/jwt/claims.x-hasura-role`: "editor", `a\.b`: "dot", `a\\b`: "backslash", "plain.tier": "pro",
		"a.b": nil, "plain": who.Claims["plain"], "none": nil, "plain.tier.x": nil, "https://hasura.io/jwt/claims.x-hasura-role": nil, "": nil,
	} {
		if got := who.Claim(path); path != "plain" && got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]string{
		`https://hasura\.io/jwt/claims.x-hasura-role`: "", `http://a/b`: "", "plain.tier": "",
		"https://hasura.io/jwt/claims.x-hasura-role": `https://hasura\.io/jwt/claims.x-hasura-role`,
		`https://hasura\.io/v1.2/claims.role`:        `https://hasura\.io/v1\.2/claims.role`,
		"plain..tier":                                "asks for nothing",
		`plain\tier`:                                 `stands before neither`,
	} {
		config := rules(policy.Rule{Name: "a", Match: paths("/a"), Require: &policy.Requirement{Claims: map[string]any{path: "editor"}}, Limits: policy.StringList{"l"}})
		config.Rules = append(config.Rules, policy.Rule{Name: "b", Match: paths("/b"), Freshness: &policy.Freshness{MaxSessionAge: policy.Duration(1e12), SessionCreatedClaim: path}})
		config.IdentityHeaders = map[string]string{"X-Role": "claims." + path}
		config.Limits = map[string]policy.Limit{"l": {Limit: 1, Window: policy.Duration(1e12), Key: policy.StringList{"claims." + path}}}
		_, err := policy.New(config, goodDeps())
		if want == "" && err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if want != "" && (err == nil || strings.Count(err.Error(), want) < 4) {
			t.Errorf("%s: %v, want %s of all four", path, err, want)
		}
	}
}
