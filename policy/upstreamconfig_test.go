package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

func TestARuleReplacesTheTokenOfThePolicy(t *testing.T) {
	t.Parallel()
	config := minting(&policy.UpstreamToken{Template: "hasura"}, nil)
	config.Rules[0].UpstreamToken = &policy.UpstreamToken{Template: "grafbase", Header: "X-Grafbase"}
	m, r := goodMint(), get("/x", field("Authorization", "Bearer a.b.c"))
	d := m.policy(t, config, admin()).Decide(t.Context(), r)
	corpus.CheckField(t, "upstream", "X-Grafbase", upstreamOf(r, &d, "X-Grafbase"), "token.grafbase.sig")
	corpus.CheckField(t, "upstream", "Authorization", upstreamOf(r, &d, "Authorization"), "Bearer a.b.c")
	r = get("/open", field("X-Grafbase", "forged"))
	d = m.policy(t, config, admin()).Decide(t.Context(), r)
	corpus.CheckField(t, "upstream", "X-Grafbase", upstreamOf(r, &d, "X-Grafbase"), "")
	corpus.CheckField(t, "upstream", "Authorization", upstreamOf(r, &d, "Authorization"), "Bearer token.hasura.sig")
}

func TestWhatIsWrongWithUpstreamWordsIsSaid(t *testing.T) {
	t.Parallel()
	token := func(template, header string) *policy.UpstreamToken {
		return &policy.UpstreamToken{Template: template, Header: header}
	}
	for name, c := range map[string]struct {
		change func(*policy.Config)
		path   string
	}{
		"no template":            {func(c *policy.Config) { c.UpstreamToken = token("", "") }, "upstream_token.template"},
		"a path for a template":  {func(c *policy.Config) { c.UpstreamToken = token("../users", "") }, "upstream_token.template"},
		"a query in a template":  {func(c *policy.Config) { c.Rules[0].UpstreamToken = token("a?b", "") }, "rules[0].upstream_token.template"},
		"no header name":         {func(c *policy.Config) { c.UpstreamToken = token("a", "X Token") }, "upstream_token.header"},
		"a header of HTTP":       {func(c *policy.Config) { c.UpstreamToken = token("a", "Cookie") }, "upstream_token.header"},
		"a header that is taken": {func(c *policy.Config) { c.UpstreamToken = token("a", "x-user-id") }, "upstream_token.header"},
		"one header for two": {func(c *policy.Config) {
			c.UpstreamToken, c.Assertion = token("a", "X-T"), &policy.Assertion{Header: "x-t"}
		}, "assertion.header"},
		"assertion as Authorization": {func(c *policy.Config) { c.Assertion = &policy.Assertion{Header: "Authorization"} },
			"assertion.header"},
		"too long a life":     {func(c *policy.Config) { c.Assertion = &policy.Assertion{Lifetime: policy.Duration(2 * time.Hour)} }, "assertion.lifetime"},
		"too short a life":    {func(c *policy.Config) { c.Assertion = &policy.Assertion{Lifetime: policy.Duration(time.Second)} }, "assertion.lifetime"},
		"an unsafe algorithm": {func(c *policy.Config) { c.Assertion = &policy.Assertion{Algorithm: "HS256"} }, "assertion.algorithm"},
		"a token for nobody":  {func(c *policy.Config) { c.Rules[2].UpstreamToken = token("a", "") }, "rules[2].upstream_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, deps := minting(nil, nil), goodDeps()
			c.change(&config)
			deps.Tokens, deps.Assertions = goodMint(), goodMint()
			errs := compileErrors(t, config, deps)
			if len(errs) != 1 || errs[0].Path != c.path {
				t.Errorf("errors %v, want one at %s", errs, c.path)
			}
		})
	}
}

func TestTokensNeedSomebodyToAsk(t *testing.T) {
	t.Parallel()
	config := minting(nil, &policy.Assertion{})
	config.Rules[1].UpstreamToken = &policy.UpstreamToken{Template: "a"}
	var where []string
	for _, err := range compileErrors(t, config, goodDeps()) {
		where = append(where, err.Path)
	}
	if diff := cmp.Diff([]string{"rules[1].upstream_token", "assertion"}, where); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
