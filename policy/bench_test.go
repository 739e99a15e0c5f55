package policy_test

import (
	"context"
	"net/netip"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// known signs everybody in as one principal, as a warm token cache does.
type known struct{ principal *policy.Principal }

func (k known) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	if k.principal == nil {
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	}
	return policy.AuthState{Status: policy.SignedIn, Principal: k.principal, Presented: true}
}

// benchConfig is a policy of ordinary size.
func benchConfig() policy.Config {
	return policy.Config{
		Limits: map[string]policy.Limit{"per-user": {Limit: 1_000_000, Window: policy.Duration(time.Minute), Key: policy.StringList{"user"}}},
		Rules: []policy.Rule{
			{Name: "assets", Match: policy.Match{Path: policy.StringList{"/_next/(.*)"}, StaticFiles: true}, Access: policy.Bypass},
			{Name: "public", Match: policy.Match{Path: policy.StringList{"/", "/sign-in(.*)", "/sign-up(.*)", "/api/webhooks(.*)", "/api/public(.*)"}}, Access: policy.Public},
			{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
			{Name: "billing", Match: policy.Match{Path: policy.StringList{"/billing(.*)"}}, Freshness: &policy.Freshness{Reverification: &policy.Reverification{Preset: "lax"}}},
			{Name: "api", Match: policy.Match{Path: policy.StringList{"/api/(.*)"}, Method: policy.StringList{"GET", "POST"}}, Limits: policy.StringList{"per-user"}},
			{Name: "tenant", Match: policy.Match{Path: policy.StringList{"/orgs/:slug(.*)"}}, Require: &policy.Requirement{Organization: &policy.Organization{Slug: policy.StringList{":slug"}}}},
		},
	}
}

// browserHeaders are the fields of an ordinary browser request.
func browserHeaders() []policy.Header {
	return []policy.Header{
		{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		{Name: "Accept-Encoding", Value: "gzip, deflate, br, zstd"}, {Name: "Accept-Language", Value: "en-GB,en;q=0.5"},
		{Name: "Cache-Control", Value: "no-cache"}, {Name: "Cookie", Value: "theme=dark; __client_uat=1767225500; lang=en"},
		{Name: "Dnt", Value: "1"}, {Name: "Pragma", Value: "no-cache"}, {Name: "Priority", Value: "u=0, i"},
		{Name: "Referer", Value: "https://app.example.com/"}, {Name: "Sec-Ch-Ua", Value: `"Chromium";v="140"`},
		{Name: "Sec-Ch-Ua-Mobile", Value: "?0"}, {Name: "Sec-Ch-Ua-Platform", Value: `"Linux"`},
		{Name: "Sec-Fetch-Dest", Value: "document"}, {Name: "Sec-Fetch-Mode", Value: "navigate"},
		{Name: "Sec-Fetch-Site", Value: "same-origin"}, {Name: "Sec-Fetch-User", Value: "?1"},
		{Name: "Upgrade-Insecure-Requests", Value: "1"}, {Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64)"},
		{Name: "X-Forwarded-For", Value: "203.0.113.5"}, {Name: "X-Forwarded-Proto", Value: "https"},
		{Name: "X-Request-Id", Value: "4a1c8d6e-2f8e-4b25-9d60-0d1f3cbd9a11"},
	}
}

// kind is a kind of decision.
type kind struct {
	target    string
	anonymous bool
	spoof     bool
	status    int
	// allocs is how often a warm decision allocates. Lower it where that is fewer.
	allocs float64
}

var kinds = map[string]kind{
	"bypass":   {target: "/_next/static/chunks/main.js", status: 200, allocs: 1},
	"public":   {target: "/api/public/items", anonymous: true, status: 200, allocs: 1},
	"role":     {target: "/admin/users", status: 200, allocs: 1},
	"fresh":    {target: "/billing/invoices", status: 200, allocs: 1},
	"limited":  {target: "/api/items?page=2", status: 200, allocs: 4},
	"tenant":   {target: "/orgs/acme/settings", status: 200, allocs: 4},
	"default":  {target: "/dashboard", status: 200, allocs: 1},
	"spoofed":  {target: "/dashboard", spoof: true, status: 200, allocs: 3},
	"redirect": {target: "/dashboard", anonymous: true, status: 307, allocs: 11},
	"odd-path": {target: "/admin/caf%C3%A9;v=1//x.", status: 200, allocs: 13},
}

// decider makes a function that decides once.
func (k kind) decider(tb testing.TB) func() {
	tb.Helper()
	who := known{&policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:admin",
		OrgPermissions: []string{"org:reports:read", "org:reports:manage"}, IssuedAt: time.Now(), Factors: policy.FactorAges{First: 1, Second: 1, Known: true}}}
	if k.anonymous {
		who.principal = nil
	}
	p, err := policy.New(benchConfig(), policy.Deps{Authenticator: who, Limiter: ratelimit.NewMemory(ratelimit.Options{}), Now: time.Now,
		Instance: policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}})
	if err != nil {
		tb.Fatal(err)
	}
	r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: k.target, Headers: browserHeaders(), Peer: netip.MustParseAddr("203.0.113.5")}
	if k.spoof {
		r.Headers = append(r.Headers, policy.Header{Name: "X_User_Id", Value: "user_victim"})
	}
	ctx := tb.Context()
	return func() {
		if d := p.Decide(ctx, r); d.Status != k.status {
			tb.Fatalf("status %d, reason %s", d.Status, d.Reason)
		}
	}
}

// checkAllocations is for tests and for benchmarks: CI runs the tests with the race
// detector only.
func (k kind) checkAllocations(tb testing.TB, decide func()) {
	tb.Helper()
	if got := testing.AllocsPerRun(1000, decide); got > k.allocs {
		tb.Errorf("%v allocations, want %v at most", got, k.allocs)
	}
}

func TestWarmDecisionsAllocateNoMoreThanTheyDid(t *testing.T) {
	if underRace() {
		t.Skip("the race detector takes pooled memory away; the benchmarks check it without")
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) { k.checkAllocations(t, k.decider(t)) })
	}
}

// underRace tells whether the race detector was compiled in.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func BenchmarkDecide(b *testing.B) {
	for name, k := range kinds {
		b.Run(name, func(b *testing.B) {
			decide := k.decider(b)
			if !underRace() {
				k.checkAllocations(b, decide)
			}
			b.ReportAllocs()
			for b.Loop() {
				decide()
			}
		})
	}
}
