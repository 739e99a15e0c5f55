package policy_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
)

// renewed signs an admin in with credentials that were renewed on the way.
func renewed(forward *policy.Forward) *pieces {
	all := goodPieces()
	all.state(policy.AuthState{Status: policy.SignedIn, Principal: admin(), Presented: true, Forward: forward,
		Headers: []policy.Header{{Name: "Set-Cookie", Value: "__session=new"}}})
	return all
}

func TestTheUpstreamSeesRenewedCredentials(t *testing.T) {
	t.Parallel()
	all := renewed(&policy.Forward{Cookie: "a=1; __session=new", RemoveQuery: []string{"__clerk_handshake"}})
	d := all.policy(t, rules()).Decide(t.Context(), get("/a?x=1&__clerk_handshake=t&__clerk%5Fhandshake=u&y=2&__clerk_handshake"))
	if !d.Allowed() {
		t.Fatalf("%s", d.Reason)
	}
	if !slices.Contains(d.SetHeaders, policy.Header{Name: "Cookie", Value: "a=1; __session=new"}) {
		t.Errorf("upstream fields %v", d.SetHeaders)
	}
	if diff := cmp.Diff([]string{"__clerk_handshake", "__clerk%5Fhandshake"}, d.RemoveQuery); diff != "" {
		t.Errorf("removed parameters (-want +got):\n%s", diff)
	}
	if d.Header("Set-Cookie") != "__session=new" {
		t.Errorf("response fields %v", d.ResponseHeaders)
	}
}

func TestNoCookieLeftRemovesTheField(t *testing.T) {
	t.Parallel()
	d := renewed(&policy.Forward{}).policy(t, rules()).Decide(t.Context(), get("/a"))
	if !slices.Contains(d.RemoveHeaders, "Cookie") {
		t.Errorf("removed fields %v", d.RemoveHeaders)
	}
}

// The edits of one request must not show in those of the next.
func TestForwardedCookiesAreNotShared(t *testing.T) {
	t.Parallel()
	all := renewed(&policy.Forward{Cookie: "__session=mine"})
	p := all.policy(t, rules())
	p.Decide(t.Context(), get("/a"))
	all.state(policy.AuthState{Status: policy.SignedIn, Principal: admin(), Presented: true})
	if d := p.Decide(t.Context(), get("/a")); slices.ContainsFunc(d.SetHeaders, func(h policy.Header) bool { return h.Name == "Cookie" }) {
		t.Errorf("upstream fields %v", d.SetHeaders)
	}
}

func TestShadowLeavesCredentialsAlone(t *testing.T) {
	t.Parallel()
	config := rules(policy.Rule{Name: "a", Match: paths("/a"), Access: policy.Protected, Require: requireRole("org:none"), Mode: policy.Shadow})
	d := renewed(&policy.Forward{Cookie: "__session=new", RemoveQuery: []string{"x"}}).policy(t, config).Decide(t.Context(), get("/a?x"))
	if d.Reason != policy.ReasonShadow || len(d.RemoveQuery) > 0 || d.Header("Set-Cookie") != "" {
		t.Errorf("%s, %v, %v", d.Reason, d.RemoveQuery, d.ResponseHeaders)
	}
}

// A browser comes back to the page it asked for, whatever the proxy made of it.
func TestRedirectsLeadBackToWhatWasSent(t *testing.T) {
	t.Parallel()
	config := rules()
	for sent, want := range map[string]string{
		"":                  "https://app.example.com/rewritten?x=1",
		"/page?y=2":         "https://app.example.com/page?y=2",
		"/rewritten?x=1":    "https://app.example.com/rewritten?x=1",
		"/a/../b":           "", // refused: an upstream may see it
		"//evil.com/x":      "https://app.example.com//evil.com/x",
		"https://evil.com/": "",
	} {
		deps := goodDeps()
		deps.Authenticator = as(nil)
		deps.Instance = policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}
		p, err := policy.New(config, deps)
		if err != nil {
			t.Fatal(err)
		}
		r := get("/rewritten?x=1", policy.Header{Name: "Accept", Value: "text/html"}, policy.Header{Name: "Sec-Fetch-Mode", Value: "navigate"}, policy.Header{Name: "Sec-Fetch-Dest", Value: "document"})
		r.OriginalTarget = sent
		d := p.Decide(t.Context(), r)
		to, err := url.Parse(d.Header("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if got := to.Query().Get("redirect_url"); got != want {
			t.Errorf("sent %q: back to %q, want %q (%s)", sent, got, want, d.Reason)
		}
	}
}
