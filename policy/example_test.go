package policy_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// asker stands in for what verifies credentials: session.New does that for Clerk.
type asker struct{ role string }

func (a asker) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	if a.role == "" {
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	}
	return policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: &policy.Principal{
		TokenType: policy.SessionToken, UserID: "user_1", OrgID: "org_1", OrgRole: a.role,
	}}
}

// An adapter copies the facts of a request, and does what the decision says.
func ExamplePolicy_Decide() {
	config := policy.Config{Rules: []policy.Rule{
		{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public},
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
	}}
	for _, role := range []string{"", "org:member", "org:admin"} {
		p, err := policy.New(config, policy.Deps{Authenticator: asker{role}, Now: time.Now})
		if err != nil {
			fmt.Println(err)
			return
		}
		d := p.Decide(context.Background(), &policy.Request{
			Method: "GET", Version: 2, Scheme: "https", Host: "app.example.com", Target: "/admin/users",
		})
		fmt.Println(d.Outcome, d.Status, d.Rule, d.Reason)
	}
	// Output:
	// deny 401 admin session-token-and-uat-missing
	// deny 403 admin role-missing
	// allow 200 admin allowed
}

// A configuration is checked without anything to decide with. All that is wrong is
// reported at once.
func ExampleCheck() {
	_, err := policy.Check(policy.Config{
		Mode: "enforec",
		Rules: []policy.Rule{
			{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*"}}},
			{Name: "admin", Match: policy.Match{Path: policy.StringList{"/reports"}}, Access: policy.Public, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
		},
	}, policy.Available{})
	fmt.Println(err)
	// Unordered output:
	// rules[0].match.path[0]: bad pattern "/admin(.*": this parenthesis is never closed; for a parenthesis itself escape it
	// rules[1].require: a rule with access "public" cannot have require (remove it, or make the rule protected)
	// rules[1].name: rules[0] is called "admin" as well (give one of them another name)
	// mode: unknown mode "enforec" (did you mean "enforce"?)
}

// A requirement compiles, and is judged, by itself.
func ExampleCompileRequirement() {
	condition, err := policy.CompileRequirement(policy.Requirement{Role: policy.StringList{"org:admin"}, Actor: "forbidden"})
	if err != nil {
		fmt.Println(err)
		return
	}
	admin := &policy.Principal{UserID: "user_1", OrgID: "org_1", OrgRole: "org:admin"}
	support := &policy.Principal{UserID: "user_1", OrgID: "org_1", OrgRole: "org:admin", Actor: "user_2"}
	for _, p := range []*policy.Principal{admin, support} {
		fmt.Println(condition.IsMet(context.Background(), p, nil, time.Now()))
	}
	// Output:
	// true
	// false
}

// Every step of a decision, for people who ask why.
func ExamplePolicy_Explain() {
	p, err := policy.New(policy.Config{Rules: []policy.Rule{
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
	}}, policy.Deps{Authenticator: asker{"org:member"}, Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, trace := p.Explain(context.Background(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/ADMIN/users"})
	fmt.Println(d.Outcome, d.Reason)
	for _, step := range trace.Steps {
		fmt.Println(strings.TrimSpace(step.Step + " " + step.Found + " " + step.Remark))
	}
	// Output:
	// deny role-missing
	// target /ADMIN/users
	// rule admin protected
	// authenticate
	// require role-missing not met
}

// A handler decides more than the policy does, as Clerk's has() would.
func ExampleHas() {
	p := &policy.Principal{UserID: "user_1", OrgID: "org_1", OrgRole: "org:member", OrgPermissions: []string{"org:reports:read"}}
	role, permission := "org:admin", "org:reports:read"
	fmt.Println(policy.Has(p, policy.HasParams{Role: &role}))
	fmt.Println(policy.Has(p, policy.HasParams{Permission: &permission}))
	// Output:
	// false
	// true
}
