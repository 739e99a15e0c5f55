package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// A host that keeps some paths from being judged keeps none from it that could be
// read as another. What passes unjudged has lost what no client may send.
func TestDecideWhereJudgesEveryReading(t *testing.T) {
	t.Parallel()
	p := as(nil).policy(t, policy.Config{})
	inside := func(path string) bool { return strings.HasPrefix(path, "/admin") }
	for target, judged := range map[string]bool{
		"/": false, "/other": false, "/x/admin": false, "/admin": true, "/admin/x": true, "//admin": true, "/%61dmin": true, "/;x/admin": true,
		"/index.php/admin": true, "//host/admin": true, "/%EF%BD%81dmin": true, "/x/../admin": true, "/a%00": true,
	} {
		r := get(target)
		r.Headers = append(r.Headers, policy.Header{Name: "x_user-id", Value: "forged"})
		d := p.DecideWhere(t.Context(), r, inside)
		if d.Allowed() == judged {
			t.Errorf("%s: %v by %q, want judged %v", target, d.Outcome, d.Rule, judged)
		}
		if !judged && (d.Rule != policy.Unjudged || !strings.Contains(strings.Join(d.RemoveHeaders, " "), "x_user-id")) {
			t.Errorf("%s: rule %q removes %q", target, d.Rule, d.RemoveHeaders)
		}
		rewritten := get("/page")
		rewritten.OriginalTarget = target
		if d := p.DecideWhere(t.Context(), rewritten, inside); d.Allowed() == judged {
			t.Errorf("%s, rewritten: %v by %q, want judged %v", target, d.Outcome, d.Rule, judged)
		}
	}
}

// A rule of that name would be taken for what no rule has seen.
func TestNoRuleIsCalledUnjudged(t *testing.T) {
	t.Parallel()
	config := rules(policy.Rule{Name: policy.Unjudged, Match: paths("/a.css"), Access: policy.Bypass})
	if _, err := policy.New(config, policy.Deps{Authenticator: as(nil), Now: func() time.Time { return instant }}); err == nil || !strings.Contains(err.Error(), `"unjudged"`) {
		t.Errorf("got %v", err)
	}
}
