package policy_test

import (
	"context"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

func TestARequirementStandsAlone(t *testing.T) {
	t.Parallel()
	admin := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", OrgID: "org_1", OrgRole: "org:admin", Claims: map[string]any{"tier": "gold"}}
	request := func(target string) *policy.Request {
		return &policy.Request{Method: "GET", Version: 1, Scheme: "https", Host: "app.example.com", Target: target}
	}
	for name, c := range map[string]struct {
		require   policy.Requirement
		principal *policy.Principal
		request   *policy.Request
		reads     bool
		want      bool
	}{
		"a role":                               {policy.Requirement{Role: policy.StringList{"org:admin"}}, admin, nil, false, true},
		"another role":                         {policy.Requirement{Role: policy.StringList{"org:owner"}}, admin, nil, false, false},
		"all of it":                            {policy.Requirement{Role: policy.StringList{"org:admin"}, Claims: map[string]any{"tier": "tin"}}, admin, nil, false, false},
		"not":                                  {policy.Requirement{Not: &policy.Requirement{Role: policy.StringList{"org:owner"}}}, admin, nil, false, true},
		"nobody":                               {policy.Requirement{Not: &policy.Requirement{Role: policy.StringList{"org:owner"}}}, nil, nil, false, false},
		"an expression":                        {policy.Requirement{Expression: `claims.tier == "gold"`}, admin, nil, false, true},
		"one about the request":                {policy.Requirement{Expression: `request.path.startsWith("/a")`}, admin, request("/a"), true, true},
		"of a reading alone":                   {policy.Requirement{Expression: `request.path == "/A"`}, admin, request("/A"), true, false},
		"of a request that is not well formed": {policy.Requirement{Not: &policy.Requirement{Expression: `request.path == "/a"`}}, admin, request("/%zz"), true, false},
		"of no request":                        {policy.Requirement{Not: &policy.Requirement{Expression: `request.path == "/a"`}}, admin, nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			condition, err := policy.CompileRequirement(c.require)
			if err != nil {
				t.Fatal(err)
			}
			if condition.ReadsRequest() != c.reads {
				t.Errorf("reads the request: %t", condition.ReadsRequest())
			}
			if got := condition.IsMet(t.Context(), c.principal, c.request, time.Now()); got != c.want {
				t.Errorf("met: %t, want %t", got, c.want)
			}
		})
	}
	if new(policy.Condition).IsMet(context.Background(), admin, nil, time.Now()) {
		t.Error("the zero condition is met")
	}
	for name, wrong := range map[string]policy.Requirement{
		"nothing":     {},
		"a parameter": {User: policy.StringList{":user"}},
		"a mistake":   {Expression: "principal.rôle"},
	} {
		if _, err := policy.CompileRequirement(wrong); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
