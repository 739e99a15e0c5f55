package policy_test

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// A guard whose every request earlier rules take protects nothing, and does not load.
// A rule that opens, and is reached by nothing, is merely in vain.
func TestAGuardThatNothingReachesDoesNotLoad(t *testing.T) {
	t.Parallel()
	public := func(name string, m policy.Match) policy.Rule {
		return policy.Rule{Name: name, Match: m, Access: policy.Public}
	}
	guard := func(m policy.Match) policy.Rule {
		return policy.Rule{Name: "guard", Match: m, Require: requireRole("org:admin")}
	}
	withMethod := func(m policy.Match, methods ...string) policy.Match { m.Method = methods; return m }
	withHost := func(m policy.Match, hosts ...string) policy.Match { m.Host = hosts; return m }
	signedIn := policy.Rule{Name: "a", Match: paths("/app(.*)")}
	for name, c := range map[string]struct {
		rules []policy.Rule
		want  string // path and a word of the error, "" for none
	}{
		"the same path":                  {[]policy.Rule{public("a", paths("/admin(.*)")), guard(paths("/admin(.*)"))}, `rules[1]: rule "guard" protects nothing: rule "a"`},
		"a path below":                   {[]policy.Rule{public("a", paths("/api(.*)")), guard(paths("/api/admin/:path*"))}, `rules[1]: rule "guard" protects nothing`},
		"everything":                     {[]policy.Rule{public("a", paths("/(.*)")), guard(paths("/admin(.*)", "/x"))}, `rules[1]: rule "guard" protects nothing`},
		"a look-ahead that takes it":     {[]policy.Rule{public("a", paths("/((?!_next).*)")), guard(paths("/admin(.*)"))}, `rules[1]: `},
		"a look-ahead that leaves it":    {[]policy.Rule{public("a", paths("/((?!admin).*)")), guard(paths("/admin(.*)"))}, ""},
		"several together":               {[]policy.Rule{public("a", paths("/users")), public("b", paths("/users/:path+")), guard(paths("/users/:path*"))}, `rules[2]: rule "guard" protects nothing: rules "a", "b" before it match`},
		"several that leave something":   {[]policy.Rule{public("a", paths("/users")), public("b", paths("/users/:id")), guard(paths("/users/:path*"))}, ""},
		"one of its patterns":            {[]policy.Rule{public("a", paths("/api(.*)")), guard(paths("/admin", "/api/admin"))}, `rules[1].match.path[1]: /api/admin protects nothing`},
		"a pattern that a guard takes":   {[]policy.Rule{signedIn, guard(paths("/admin", "/app/admin"))}, ""},
		"all of it, by a weaker guard":   {[]policy.Rule{signedIn, guard(paths("/app/admin"))}, `rules[1]: rule "guard" protects nothing`},
		"its method":                     {[]policy.Rule{public("a", withMethod(paths("/x"), "GET", "POST")), guard(withMethod(paths("/x"), "post"))}, `rules[1]: `},
		"its methods, one by one":        {[]policy.Rule{public("a", withMethod(paths("/x"), "GET")), public("b", withMethod(paths("/x"), "POST")), guard(withMethod(paths("/x"), "GET", "POST"))}, `rules[2]: `},
		"one of its methods":             {[]policy.Rule{public("a", withMethod(paths("/x"), "GET")), guard(withMethod(paths("/x"), "GET", "POST"))}, ""},
		"some methods":                   {[]policy.Rule{public("a", withMethod(paths("/x"), "GET")), guard(paths("/x"))}, ""},
		"its host":                       {[]policy.Rule{public("a", withHost(paths("/x"), "*.example.com")), guard(withHost(paths("/x"), "app.example.com"))}, `rules[1]: `},
		"another host":                   {[]policy.Rule{public("a", withHost(paths("/x"), "*.example.com")), guard(withHost(paths("/x"), "example.com"))}, ""},
		"some hosts":                     {[]policy.Rule{public("a", withHost(paths("/x"), "app.example.com")), guard(paths("/x"))}, ""},
		"another letter case, opened":    {[]policy.Rule{public("a", paths("/Admin")), guard(paths("/admin"))}, ""},
		"the order that is meant":        {[]policy.Rule{guard(paths("/admin(.*)")), public("a", paths("/(.*)"))}, ""},
		"static files leave it":          {[]policy.Rule{{Name: "a", Match: policy.Match{StaticFiles: true}, Access: policy.Bypass}, guard(paths("/admin(.*)"))}, ""},
		"a host alone":                   {[]policy.Rule{public("a", paths("/(.*)")), guard(policy.Match{Host: policy.StringList{"app.example.com"}})}, `rules[1]: `},
		"a rule that opens is a warning": {[]policy.Rule{guard(paths("/admin(.*)")), public("a", paths("/admin/login"))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rules(c.rules...)
			wrong := compileErrors(t, config, goodDeps())
			if c.want == "" && len(wrong) > 0 || c.want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), c.want)) {
				t.Fatalf("%v, want %q", wrong, c.want)
			}
			config.IgnoreWarnings = policy.StringList{policy.WarnRuleUnreachable}
			if wrong := compileErrors(t, config, goodDeps()); len(wrong) > 0 {
				t.Errorf("the rule cannot be kept for proxies to name: %v", wrong)
			}
		})
	}
	p := as(nil).policy(t, rules(guard(paths("/admin(.*)")), public("a", paths("/admin/login"))))
	if got := p.Warnings(); len(got) != 2 || got[1].ID != policy.WarnRuleUnreachable || got[1].Path != "rules[1]" {
		t.Errorf("warnings: %v", got)
	}
}

func TestMistakesInRequirementsDoNotLoad(t *testing.T) {
	t.Parallel()
	rule := func(r policy.Requirement) policy.Rule {
		return policy.Rule{Name: "a", Match: paths("/orgs/:slug"), Require: &r}
	}
	for want, r := range map[string]policy.Requirement{
		`"=" is not a value but a sign`:                           {Role: policy.StringList{"=", "admin"}},
		`"is" is not a value`:                                     {Role: policy.StringList{"is", "admin"}},
		`"not" is not a value`:                                    {Role: policy.StringList{"not", "admin"}},
		`"and" is not a value`:                                    {Permission: policy.StringList{"org:a:b", "and", "org:c:d"}},
		`"admin," is not a value but several`:                     {Role: policy.StringList{"admin,", "member"}},
		`"==" is not a value`:                                     {User: policy.StringList{"==", "user_1"}},
		`":" is not a value`:                                      {Role: policy.StringList{":", "admin"}},
		`"!=" is not a value`:                                     {Organization: &policy.Organization{Slug: policy.StringList{"!=", "acme"}}},
		`claim "metadata.role" is compared with "="`:              {Claims: map[string]any{"metadata.role": []any{"=", "admin"}}},
		`claim "a" is compared with "= admin"`:                    {Claims: map[string]any{"a": "= admin"}},
		`claim "a" is compared with "is"`:                         {Claims: map[string]any{"a": []any{"is", "admin"}}},
		`principal has no "email" (known are`:                     {Expression: "principal.email == 'x'"},
		`principal has no "role" (did you mean "org_role"?)`:      {Expression: "principal.role == 'org:admin'"},
		`principal has no "roles"`:                                {Expression: "'org:admin' in principal.roles"},
		`principal has no "user" (did you mean "user_id"?)`:       {Expression: "principal['user'] == 'x'"},
		`request has no "foo"`:                                    {Expression: "request.foo == 1"},
		`request has no "ip"`:                                     {Expression: "has(request.ip)"},
		`returns string, not a boolean`:                           {Expression: "principal.user_id"},
		`undeclared reference to 'user'`:                          {Expression: "user.id == 'x'"},
		`(did you mean "principal"?)`:                             {Expression: "principl.user_id == 'x'"},
		`no matching overload`:                                    {Expression: "principal.user_id == 1"},
		`the rule's paths have no parameter ":id"`:                {Expression: "params.id == principal.user_id"},
		`the rule's paths have no parameter ":name" (every path `: {Expression: "params['name'] == 'x'"},
		`at 1:19`: {Expression: "principal.user_id ~ 'x'"},
	} {
		wrong := compileErrors(t, rules(rule(r)), goodDeps())
		if len(wrong) != 1 || !strings.Contains(wrong[0].Error(), want) || !strings.HasPrefix(wrong[0].Path, "rules[0].require.") {
			t.Errorf("%v, want %q", wrong, want)
		}
	}
	for _, r := range []policy.Requirement{
		{Claims: map[string]any{"lang": "is"}}, {Claims: map[string]any{"motto": "to be, or not"}}, {Role: policy.StringList{"org:not"}},
		{Expression: "params.slug == principal.org_slug"}, {Expression: "params['slug'].startsWith('a')"}, {Expression: "claims.metadata.tier == 'gold'"},
		{Expression: "claims.beta"}, {Expression: "principal['user_id'] == 'x'"}, {Expression: "has(claims.x) && claims['a.b'] > 3"}, {Expression: "principal.scopes.exists(s, s == 'read')"},
		{Expression: "request.path.startsWith('/a') && request.host != 'b' && request.query == ''"},
	} {
		if wrong := compileErrors(t, rules(rule(r)), goodDeps()); len(wrong) > 0 {
			t.Errorf("%+v: %v", r, wrong)
		}
	}
}

// Nothing is true of what a principal does not have, but that it is not there.
func TestExpressionsOnWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]policy.Reason{
		"principal.org_id != ''":                                  policy.ReasonExpressionFalse,
		"'' != principal.org_id":                                  policy.ReasonExpressionFalse,
		"principal.org_id == ''":                                  policy.ReasonAllowed,
		"'' == principal.org_role":                                policy.ReasonAllowed,
		"!(principal.org_id != '')":                               policy.ReasonAllowed,
		"has(principal.org_id)":                                   policy.ReasonExpressionFalse,
		"!has(principal.actor)":                                   policy.ReasonAllowed,
		"principal.org_id != 'org_1'":                             policy.ReasonExpressionFailed,
		"!(principal.org_id == 'org_1')":                          policy.ReasonExpressionFailed,
		"principal.org_role != 'org:guest'":                       policy.ReasonExpressionFailed,
		"!(principal.org_id in ['org_1'])":                        policy.ReasonExpressionFailed,
		"size(principal.org_id) == 0":                             policy.ReasonExpressionFailed,
		"principal.org_id == principal.org_slug":                  policy.ReasonExpressionFailed,
		"dyn(principal) != 1":                                     policy.ReasonExpressionFailed,
		"principal.user_id == 'user_1'":                           policy.ReasonAllowed,
		"principal.token_type == 'session_token'":                 policy.ReasonAllowed,
		"principal.org_id != '' || principal.user_id == 'user_1'": policy.ReasonAllowed,
		"principal.scopes == []":                                  policy.ReasonAllowed,
		"request.query == ''":                                     policy.ReasonAllowed,
		"request.method == 'GET' && request.scheme == 'https' && request.host == 'app.example.com' && request.path == '/x'": policy.ReasonAllowed,
		"claims.none != 'x'": policy.ReasonExpressionFailed,
	} {
		who := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", IssuedAt: instant}
		d := ask(t, rules(policy.Rule{Name: "a", Match: paths("/x"), Require: &policy.Requirement{Expression: text}}), who, get("/x"))
		if d.Reason != want {
			t.Errorf("%s: %s, want %s", text, d.Reason, want)
		}
	}
}

func TestMethodsAreReadInAnyLetterCase(t *testing.T) {
	t.Parallel()
	config := func(method string) policy.Config {
		return rulesOrPublic(policy.Rule{Name: "a", Match: policy.Match{Path: policy.StringList{"/x"}, Method: policy.StringList{method}}, Access: policy.DenyAccess})
	}
	for _, method := range []string{"get", "GET", "Get", "query", "PROPFIND", "purge"} {
		r := get("/x")
		r.Method = strings.ToUpper(method)
		if d := ask(t, config(method), member(), r); d.Reason != policy.ReasonRuleDenies {
			t.Errorf("%s: %s", method, d.Reason)
		}
	}
	for method, want := range map[string]string{"FETCH": "PATCH", "PSOT": `did you mean "POST"?`, "*": "leave the methods out", "any": "leave the methods out", "GET,POST": "a list of methods", "=": "known are"} {
		wrong := compileErrors(t, config(method), goodDeps())
		if len(wrong) != 1 || wrong[0].Path != "rules[0].match.method[0]" || !strings.Contains(wrong[0].Error(), want) {
			t.Errorf("%s: %v", method, wrong)
		}
	}
}

func TestALimitThatNothingNamesDoesNotLoad(t *testing.T) {
	t.Parallel()
	config := rules(policy.Rule{Name: "a", Match: paths("/x")})
	config.Limits = map[string]policy.Limit{"per-ip": {Limit: 1, Window: policy.Duration(60e9), Key: policy.StringList{"ip"}}}
	if wrong := compileErrors(t, config, goodDeps()); len(wrong) != 1 || wrong[0].Path != "limits.per-ip" || !strings.Contains(wrong[0].Msg, "is used by no rule") {
		t.Errorf("%v", wrong)
	}
	config.Default.Limits = policy.StringList{"per-ip"}
	if wrong := compileErrors(t, config, goodDeps()); len(wrong) > 0 {
		t.Errorf("%v", wrong)
	}
	config.Default.Limits = policy.StringList{"per-up"}
	if wrong := compileErrors(t, config, goodDeps()); len(wrong) != 1 || wrong[0].Path != "default.limits[0]" || !strings.Contains(wrong[0].Suggestion, `"per-ip"`) {
		t.Errorf("%v", wrong)
	}
}
