package policy_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// What decisions are made with is used again: no decision has anything of another
// one, nor changes once it was handed out.
func TestDecisionsShareNothing(t *testing.T) {
	t.Parallel()
	ada := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:admin",
		OrgPermissions: []string{"org:reports:read"}, IssuedAt: time.Now(), Factors: policy.FactorAges{First: 1, Second: 1, Known: true}}
	config := benchConfig()
	config.TrustedProxies = policy.StringList{"203.0.113.0/24"}
	for name, limit := range config.Limits { // none refuses here
		limit.Limit = 1 << 20
		config.Limits[name] = limit
	}
	made := func(who *policy.Principal) *policy.Policy {
		p, err := policy.New(config, policy.Deps{Authenticator: known{who}, Limiter: ratelimit.NewMemory(ratelimit.Options{}), Now: time.Now,
			Instance: policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	policies := []*policy.Policy{made(ada), made(nil)}
	targets := []string{"/admin/users", "/api/public/items", "/api/items?page=2", "/orgs/acme/settings", "/dashboard?a=b", "/x/..%2f", "/billing/invoices", "/_next/static/chunks/main.js"}
	show := func(d *policy.Decision) string {
		return fmt.Sprint(d.Outcome, d.Status, d.Reason, d.Rule, d.RemoveHeaders, d.SetHeaders, d.RemoveQuery, len(d.ResponseHeaders), len(d.Body), d.Client, len(d.Limits), d.Principal != nil)
	}
	ask := func(i int) policy.Decision {
		headers := browserHeaders()
		if i%3 == 0 {
			headers = append(headers, policy.Header{Name: "X_User_Id", Value: fmt.Sprintf("forged%d", i)})
		}
		headers = append(headers, policy.Header{Name: "X-Forwarded-For", Value: fmt.Sprintf("198.51.100.%d", i%200)})
		return policies[i%2].Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: targets[i/2%len(targets)], Headers: headers, Peer: netip.MustParseAddr("203.0.113.5")})
	}
	const n = 1200 // a whole number of all that differs
	want := make([]string, n)
	for i := range n {
		d := ask(i)
		want[i] = show(&d)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			kept := make([]policy.Decision, n)
			for i := range n {
				kept[i] = ask(i)
			}
			for i := range n {
				if got := show(&kept[i]); got != want[i] {
					t.Errorf("request %d:\n%s\nwant\n%s", i, got, want[i])
				}
			}
		})
	}
	asking.Wait()
}
