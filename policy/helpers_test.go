package policy_test

import (
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/joined"
	"github.com/clerkgate/clerkgate/policy"
)

// paths is a match by path.
func paths(patterns ...string) policy.Match { return policy.Match{Path: patterns} }

// rules is a configuration whose default is protected.
func rules(list ...policy.Rule) policy.Config { return policy.Config{Rules: list} }

// rulesOrPublic is a configuration whose default is public.
func rulesOrPublic(list ...policy.Rule) policy.Config {
	return policy.Config{Rules: list, Default: policy.Default{Access: policy.Public}}
}

func requireRole(role string) *policy.Requirement {
	return &policy.Requirement{Role: policy.StringList{role}}
}

func member() *policy.Principal {
	return &policy.Principal{TokenType: policy.SessionToken, UserID: "user_m", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:member", IssuedAt: instant}
}

func admin() *policy.Principal {
	return &policy.Principal{TokenType: policy.SessionToken, UserID: "user_a", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:admin", IssuedAt: instant}
}

// as makes pieces that sign everybody in as one principal; nil is nobody.
func as(p *policy.Principal) *pieces {
	all := goodPieces()
	if p == nil {
		all.state(policy.AuthState{Reason: policy.ReasonSessionMissing})
	} else {
		all.state(policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true})
	}
	return all
}

// get is a GET request of the site.
func get(target string, headers ...policy.Header) *policy.Request {
	return &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target, Headers: headers}
}

// ask compiles a policy and asks it one thing.
func ask(t *testing.T, config policy.Config, who *policy.Principal, r *policy.Request) policy.Decision {
	t.Helper()
	return as(who).policy(t, config).Decide(t.Context(), r)
}

// compileErrors returns what is wrong with a configuration, sentence by
// sentence.
func compileErrors(t *testing.T, config policy.Config, deps policy.Deps) []*policy.ConfigError {
	t.Helper()
	_, err := policy.New(config, deps)
	var all []*policy.ConfigError
	for _, e := range joined.Each(err) {
		wrong, ok := e.(*policy.ConfigError)
		if !ok {
			t.Fatalf("%v is not a ConfigError", e)
		}
		all = append(all, wrong)
	}
	return all
}

// goodDeps are all that a policy may need.
func goodDeps() policy.Deps {
	p := goodPieces()
	return policy.Deps{Authenticator: p, Limiter: p, Revocations: p, Sessions: p, Now: func() time.Time { return instant }}
}
