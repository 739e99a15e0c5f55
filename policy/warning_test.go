package policy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// What people silence by its ID is explained under that ID, and nothing is
// explained that is never said.
func TestEveryWarningIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/warnings.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[1])
	}
	ids := policy.WarningIDs()
	if !slices.IsSorted(ids) || !slices.Equal(ids, documented) {
		t.Errorf("docs/warnings.md tells of\n%q\nnot of\n%q", documented, ids)
	}
}

func TestWarningsAreSilencedByTheirIDs(t *testing.T) {
	t.Parallel()
	config := rulesOrPublic(policy.Rule{Name: "api", Match: paths("/api(.*)"), Access: policy.Public})
	warned := func() (ids []string) {
		for _, w := range as(nil).policy(t, config).Warnings() {
			ids = append(ids, w.ID)
		}
		return ids
	}
	if got := warned(); !slices.Equal(got, []string{policy.WarnPatternAlsoMatches, policy.WarnDefaultPublic}) {
		t.Errorf("warned of %q", got)
	}
	config.IgnoreWarnings = policy.StringList{policy.WarnDefaultPublic}
	if got := warned(); !slices.Equal(got, []string{policy.WarnPatternAlsoMatches}) {
		t.Errorf("warned of %q", got)
	}
	config.IgnoreWarnings = policy.StringList{"default-publik"}
	wrong := compileErrors(t, config, goodDeps())
	if len(wrong) != 1 || wrong[0].Path != "ignore_warnings[0]" || !strings.Contains(wrong[0].Suggestion, `"default-public"`) {
		t.Errorf("%v", wrong)
	}
}

// Clerk's idiom is a note where it opens nothing that has a name, and a warning
// where it does.
func TestTheIdiomOfClerkIsAWarningOnlyWhereItOpensMore(t *testing.T) {
	t.Parallel()
	for pattern, note := range map[string]bool{"/sign-in(.*)": true, "/_next/(.*)": true, "/api/webhooks(.*)": true, "/api(.*)": false, "/admin(.*)": false, "/user(.*)": false} {
		for _, access := range []policy.Access{policy.Public, policy.Bypass, policy.Protected, policy.DenyAccess} {
			got := as(nil).policy(t, rules(policy.Rule{Name: "a", Match: paths(pattern), Access: access})).Warnings()
			guards := access == policy.Protected || access == policy.DenyAccess
			if len(got) != 1 || got[0].Note != (note || guards) || got[0].Path != "rules[0].match.path[0]" {
				t.Errorf("%s %s: %+v", access, pattern, got)
			}
		}
	}
}
