package policy_test

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// An expression holds if it is true of every reading, and so does one that must
// not.
func TestExpressionsHoldOnEveryReading(t *testing.T) {
	t.Parallel()
	notSecret := `!request.path.startsWith("/files/secret/") || has(principal.org_role) && principal.org_role == "org:admin"`
	expression := func(text string) *policy.Requirement { return &policy.Requirement{Expression: text} }
	for name, require := range map[string]*policy.Requirement{
		"as it is":           expression(notSecret),
		"below not":          {Not: expression(`!(` + notSecret + `)`)},
		"one of several":     {Any: []policy.Requirement{*expression(notSecret), {Role: policy.StringList{"org:none"}}}},
		"all of several":     {All: []policy.Requirement{*expression(notSecret), {Role: policy.StringList{"org:member", "org:admin"}}}},
		"the opposite twice": {Not: &policy.Requirement{Not: expression(notSecret)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rules(policy.Rule{Name: "files", Match: paths("/files/(.*)"), Require: require})
			as1, as2 := as(member()).policy(t, config), as(admin()).policy(t, config)
			for _, target := range []string{"/files/open/x", "/files/Open/x", "/files/open;v=1/x", "/files/x?/files/secret/"} {
				if d := as1.Decide(t.Context(), get(target)); !d.Allowed() {
					t.Errorf("%s: %s", target, d.Reason)
				}
			}
			for _, target := range []string{
				"/files/secret/x", "/files/secret;v=1/x", "/files/secret%3bv=1/x", "/files/SECRET/x", "/FILES/Secret/x", "//h/files/secret/x", "//files/secret/x", "/files//secret/x", "/files/secret./x", "/files/s%65cret/x",
				"/files/%EF%BD%93ecret/x", "/index.php/files/secret/x", "/files/(S(a))/secret/x", "/_next/data/b/files/secret/x.json", "/files/secret%20/x", "/files/secre%E2%80%8Bt/x", "/files/\u017fecret/x",
			} {
				if d := as1.Decide(t.Context(), get(target)); d.Allowed() {
					t.Errorf("%s passes", target)
				}
				if d := as2.Decide(t.Context(), get(target)); !d.Allowed() && !strings.Contains(target, ";") {
					t.Errorf("%s: %s for an admin", target, d.Reason)
				}
			}
		})
	}
}

// What was sent counts as well, and its query.
func TestExpressionsSeeWhatWasSent(t *testing.T) {
	t.Parallel()
	config := rules(policy.Rule{Name: "all", Match: paths("/(.*)"), Require: &policy.Requirement{Expression: `!request.path.startsWith("/secret") && request.query != "debug"`}})
	for _, c := range []struct {
		sent, target string
		pass         bool
	}{
		{"/x", "/y", true}, {"/secret", "/index.php", false}, {"/x", "/secret", false}, {"/x?debug", "/index.php", false}, {"/x", "/index.php?debug", false}, {"/x?a", "/index.php?b", true},
	} {
		r := get(c.target)
		r.OriginalTarget = c.sent
		if d := ask(t, config, member(), r); d.Allowed() != c.pass {
			t.Errorf("%s as %s: %s", c.sent, c.target, d.Reason)
		}
	}
}

// The work for one request is bounded: a target of more readings than that is
// refused.
func TestExpressionsAreEvaluatedABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	config := rules(policy.Rule{Name: "all", Match: paths("/(.*)"), Require: &policy.Requirement{Expression: `request.path != ""`}})
	r := get("//H/A;b/%40C./%E2%80%8BX%3Fq/(S(x))/index.php/Z")
	r.OriginalTarget = "//K/A;b/%40C./%E2%80%8BX%3Fq/(S(x))/index.php/Y?q"
	if d := ask(t, config, member(), r); d.Allowed() {
		t.Errorf("%s", d.Reason)
	}
}
