package policy_test

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// A target with several readings has to satisfy the rule of each. Before, the
// first rule in the configuration that any reading met decided alone, and so
// //admin/api/x, which some upstreams read as /api/x, was judged by a weaker
// rule than the one for /admin.
func TestEveryReadingIsJudgedByItsOwnRule(t *testing.T) {
	t.Parallel()
	api := policy.Rule{Name: "api", Match: paths("/api/(.*)")}
	adminOnly := policy.Rule{Name: "admin", Match: paths("/admin(.*)"), Require: requireRole("org:admin")}
	fresh := policy.Rule{Name: "fresh", Match: paths("/fresh(.*)"), Freshness: &policy.Freshness{Reverification: &policy.Reverification{Preset: "strict"}}}
	closed := policy.Rule{Name: "closed", Match: paths("/closed(.*)"), Access: policy.DenyAccess}
	open := policy.Rule{Name: "open", Match: paths("/open(.*)"), Access: policy.Public}
	files := policy.Rule{Name: "files", Match: paths("/_next/(.*)"), Access: policy.Bypass}
	watched := policy.Rule{Name: "watched", Match: paths("/beta(.*)"), Require: requireRole("org:admin"), Mode: policy.Shadow}
	machines := policy.Rule{Name: "machines", Match: paths("/m(.*)"), Accept: policy.TokenTypes{policy.M2MToken}}
	tenant := policy.Rule{Name: "tenant", Match: paths("/orgs/:slug(.*)"), Require: &policy.Requirement{Organization: &policy.Organization{Slug: policy.StringList{":slug"}}}}
	users := policy.Rule{Name: "users", Match: paths("/users/:id/orgs/:slug"), Require: &policy.Requirement{User: policy.StringList{":slug"}}}
	for name, c := range map[string]struct {
		config policy.Config
		who    *policy.Principal
		target string
		reason policy.Reason
		rule   string
	}{
		"a weaker rule before a stricter one":      {rules(api, adminOnly), member(), "//admin/api/x", policy.ReasonRoleMissing, "admin"},
		"both rules satisfied":                     {rules(api, adminOnly), admin(), "//admin/api/x", policy.ReasonAllowed, "api"},
		"a stricter rule before a weaker one":      {rules(adminOnly, api), member(), "//api/admin/x", policy.ReasonRoleMissing, "admin"},
		"freshness of the other rule":              {rules(api, fresh), admin(), "//fresh/api/x", policy.ReasonReverification, "fresh"},
		"token types of the other rule":            {rules(api, machines), admin(), "//m/api/x", policy.ReasonTokenType, "machines"},
		"a rule that denies wins":                  {rules(adminOnly, closed), admin(), "//closed/admin", policy.ReasonRuleDenies, "closed"},
		"a rule that denies wins over an open one": {rules(open, closed), admin(), "//closed/open", policy.ReasonRuleDenies, "closed"},
		"all readings open, by two rules":          {rules(open, files), nil, "/_next/data/b/open/x.json", policy.ReasonPublic, "open"},
		"one open reading, one left to default":    {rules(open), nil, "//x/open", policy.ReasonSessionMissing, "default"},
		"the default gives way to a rule":          {rules(adminOnly), member(), "//x/admin", policy.ReasonRoleMissing, "admin"},
		"the default denies the other reading":     {policy.Config{Rules: []policy.Rule{api}, Default: policy.Default{Access: policy.DenyAccess}}, member(), "//api/x", policy.ReasonRuleDenies, "default"},
		"the default denies no extension":          {policy.Config{Rules: []policy.Rule{{Name: "report", Match: paths("/report")}}, Default: policy.Default{Access: policy.DenyAccess}}, member(), "/report.csv", policy.ReasonAllowed, "report"},
		"shadow rules open no other path":          {rules(watched), nil, "//dashboard/beta", policy.ReasonSessionMissing, "default"},
		"shadow rules open no guarded path":        {rules(watched, adminOnly), member(), "//admin/beta", policy.ReasonRoleMissing, "admin"},
		"a shadow rule alone only watches":         {rules(watched), member(), "/beta", policy.ReasonShadow, "watched"},
		"parameters of one rule among several":     {rules(api, tenant), member(), "//orgs/api/x", policy.ReasonOrganizationRequired, "tenant"},
		"parameters of two rules":                  {rules(tenant, users), member(), "//users/user_m/orgs/acme", policy.ReasonUserNotAllowed, "users"},
		"an extension that a later rule names": {
			rules(policy.Rule{Name: "reports", Match: paths("/reports")}, policy.Rule{Name: "csv", Match: paths("/reports.csv"), Require: requireRole("org:admin")}),
			member(), "/reports.csv", policy.ReasonRoleMissing, "csv",
		},
		"an extension that a later rule opens": {
			rules(policy.Rule{Name: "reports", Match: paths("/reports")}, policy.Rule{Name: "csv", Match: paths("/reports.csv"), Access: policy.Public}),
			nil, "/reports.csv", policy.ReasonSessionMissing, "reports",
		},
		"an extension that an earlier rule opens": {
			rules(policy.Rule{Name: "csv", Match: paths("/reports.csv"), Access: policy.Public}, policy.Rule{Name: "reports", Match: paths("/reports")}),
			nil, "/reports.csv", policy.ReasonPublic, "csv",
		},
		"a catch-all does not take extensions away": {
			rules(policy.Rule{Name: "admin", Match: paths("/admin"), Require: requireRole("org:admin")}, policy.Rule{Name: "rest", Match: paths("/(.*)")}),
			member(), "/admin.json", policy.ReasonRoleMissing, "admin",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := ask(t, c.config, c.who, get(c.target)); d.Reason != c.reason || d.Rule != c.rule {
				t.Errorf("%s: %s by %q, want %s by %q", c.target, d.Reason, d.Rule, c.reason, c.rule)
			}
		})
	}
}

// Limits of every rule count, so that no reading leads around one.
func TestLimitsOfEveryReadingCount(t *testing.T) {
	t.Parallel()
	config := rules(
		policy.Rule{Name: "docs", Match: paths("/docs(.*)")},
		policy.Rule{Name: "api", Match: paths("/api/(.*)"), Limits: policy.StringList{"few"}},
	)
	config.Limits = map[string]policy.Limit{"few": {Limit: 1, Window: policy.Duration(60e9), Key: policy.StringList{"user"}}}
	asked := as(member())
	asked.take = func([]policy.LimitResult) error { return nil }
	d := asked.policy(t, config).Decide(t.Context(), get("//docs/api/x"))
	if d.Reason != policy.ReasonRateLimited || d.Rule != "api" {
		t.Errorf("%s by %q", d.Reason, d.Rule)
	}
}

// The route of the proxy names a rule: it replaces what matches, and opens
// nothing that is guarded.
func TestARuleNamedByTheRoute(t *testing.T) {
	t.Parallel()
	config := rules(
		policy.Rule{Name: "admin", Match: paths("/admin(.*)"), Require: requireRole("org:admin")},
		policy.Rule{Name: "open", Match: paths("/open(.*)"), Access: policy.Public},
	)
	for _, c := range []struct {
		name, target, rule string
		reason             policy.Reason
	}{
		{"open", "/admin", "admin", policy.ReasonSessionMissing},
		{"open", "/elsewhere", "default", policy.ReasonSessionMissing},
		{"open", "/open/x", "open", policy.ReasonPublic},
		{"admin", "/open/x", "admin", policy.ReasonSessionMissing},
		{"unknown", "/open/x", "", policy.ReasonUnknownRule},
		{"default", "/open/x", "", policy.ReasonUnknownRule},
	} {
		r := get(c.target)
		r.RuleName = c.name
		if d := ask(t, config, nil, r); d.Reason != c.reason || d.Rule != c.rule {
			t.Errorf("%s on %s: %s by %q, want %s by %q", c.name, c.target, d.Reason, d.Rule, c.reason, c.rule)
		}
	}
}
