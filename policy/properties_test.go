package policy_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// fence is a policy with a guard, a public part and a public default: the
// hardest to hold.
func fence(tb testing.TB) *policy.Policy {
	tb.Helper()
	p, err := policy.New(fenceConfig(), policy.Deps{Authenticator: known{}, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func fenceConfig() policy.Config {
	return policy.Config{
		Rules: []policy.Rule{
			{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
			{Name: "billing", Match: policy.Match{Path: policy.StringList{"/settings/billing"}}},
		},
		Default: policy.Default{Access: policy.Public},
	}
}

// fenceBelow is the same policy for an application below /shop, in two languages.
func fenceBelow(tb testing.TB) *policy.Policy {
	tb.Helper()
	config := fenceConfig()
	config.BasePath, config.Locales = "/shop", policy.StringList{"en", "fr"}
	p, err := policy.New(config, policy.Deps{Authenticator: known{}, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func passes(p *policy.Policy, target string) bool {
	d := p.Decide(context.Background(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target})
	return d.Allowed()
}

// disguises change a target in a way that some upstream reads away.
var disguises = []func(r *rand.Rand, target string) string{
	func(r *rand.Rand, t string) string { return t[:1] + encodeAt(t[1:], r.IntN(len(t))) },
	func(r *rand.Rand, t string) string { return insertAt(t, slashAt(r, t), "/") },
	func(r *rand.Rand, t string) string { return insertAt(t, slashAt(r, t), "/.") },
	func(r *rand.Rand, t string) string { return insertAt(t, slashAt(r, t), "/x/..") },
	func(r *rand.Rand, t string) string { return insertAt(t, slashAt(r, t), "/%2e") },
	func(r *rand.Rand, t string) string { return insertAt(t, segmentEnd(r, t), ";p=1") },
	func(r *rand.Rand, t string) string { return insertAt(t, segmentEnd(r, t), "%3Bp") },
	func(r *rand.Rand, t string) string { return insertAt(t, segmentEnd(r, t), ".") },
	func(r *rand.Rand, t string) string { return insertAt(t, segmentEnd(r, t), "%20") },
	func(r *rand.Rand, t string) string { return insertAt(t, segmentEnd(r, t), "%E2%80%8B") },
	func(_ *rand.Rand, t string) string { return strings.ToUpper(t) },
	func(_ *rand.Rand, t string) string { return t + "/" },
	func(_ *rand.Rand, t string) string { return t + "%3Fx" },
	func(_ *rand.Rand, t string) string { return t + ".json" },
	func(_ *rand.Rand, t string) string { return "//evil.example" + t },
	func(_ *rand.Rand, t string) string { return strings.Replace(t, "a", "%EF%BD%81", 1) },
}

func encodeAt(t string, i int) string {
	if len(t) == 0 {
		return t
	}
	i %= len(t)
	const hex = "0123456789abcdef"
	return t[:i] + "%" + string(hex[t[i]>>4]) + string(hex[t[i]&15]) + t[i+1:]
}

func insertAt(t string, i int, text string) string { return t[:i] + text + t[i:] }

func slashAt(r *rand.Rand, t string) int {
	var at []int
	for i := range len(t) {
		if t[i] == '/' {
			at = append(at, i)
		}
	}
	return at[r.IntN(len(at))]
}

func segmentEnd(r *rand.Rand, t string) int {
	if i := slashAt(r, t); i > 0 {
		return i
	}
	return len(t)
}

// A guarded target passes in no disguise, and in no mixture of them.
func TestNoDisguiseOpensAGuardedTarget(t *testing.T) {
	t.Parallel()
	p, r := fence(t), rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		target := []string{"/admin", "/admin/users", "/settings/billing"}[r.IntN(3)]
		for range 1 + r.IntN(3) {
			target = disguises[r.IntN(len(disguises))](r, target)
		}
		if strings.Count(strings.ToLower(target), ".json") > 1 {
			continue // no upstream takes two formats off
		}
		if passes(p, target) {
			t.Fatalf("%q passes", target)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/admin", "/a/b?x=1", "/%2561dmin", "//x/admin", "/settings/billing;v=1", "/caf%C3%A9", "/a%3Fb", "http://app.example.com/admin", "/%EF%BC%8Fadmin",
		"/shop/fr/admin", "/shop/_next/data/b/fr/admin.json", "/SHOP//Fr;x/admin", "/_next/data/b/fr.json", "/fr/%65n/admin"} {
		f.Add(seed)
	}
	p, below := fence(f), fenceBelow(f)
	f.Fuzz(func(t *testing.T, target string) {
		first := passes(p, target)
		if first != passes(p, target) {
			t.Errorf("%q: two verdicts", target)
		}
		if path, _, _ := strings.Cut(target, "?"); first && strings.HasPrefix(target, "/") {
			if !passes(p, path) || !passes(p, path+"?q=1") {
				t.Errorf("%q: the query takes part", target)
			}
		}
		// What passes as public has no reading that is guarded.
		if first && strings.HasPrefix(strings.ToLower(target), "/admin") {
			t.Errorf("%q passes", target)
		}
		for _, prefix := range []string{"", "/shop", "/fr", "/shop/FR"} {
			if strings.HasPrefix(target, "/") && !first && passes(below, prefix+target) {
				t.Errorf("%q passes, and %q does not", prefix+target, target)
			}
		}
	})
}

// Whatever names a client sends, none that folds to one of ours reaches the
// upstream, and nothing is both set and removed.
func FuzzHeaders(f *testing.F) {
	f.Add("X_User_Id", "user_victim", "x.org.role")
	f.Add("x-middleware-subrequest", "a", "X-Original-URL")
	f.Add("Connection", "close, X-User-Id", "")
	p, err := policy.New(policy.Config{}, policy.Deps{Authenticator: known{&policy.Principal{TokenType: policy.SessionToken, UserID: "user_1"}}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value, other string) {
		r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x", Peer: netip.MustParseAddr("203.0.113.5"),
			Headers: []policy.Header{{Name: name, Value: value}, {Name: other, Value: "2"}}}
		d := p.Decide(context.Background(), r)
		if !d.Allowed() {
			return
		}
		for _, set := range d.SetHeaders {
			if slices.ContainsFunc(d.RemoveHeaders, func(n string) bool { return strings.EqualFold(n, set.Name) }) {
				t.Errorf("%s is set and removed", set.Name)
			}
		}
		upstream := edited(r.Headers, &d)
		for _, sent := range []string{name, other} {
			if folded := foldForTest(sent); folded == "x-user-id" || folded == "x-org-role" || strings.HasPrefix(folded, "x-middleware-") {
				for kept, values := range upstream {
					if foldForTest(kept) == folded && (len(values) != 1 || values[0] != "user_1") {
						t.Errorf("%q survives as %q: %q", sent, kept, values)
					}
				}
			}
		}
	})
}

func foldForTest(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// A policy that only denies never allows, whatever is asked.
func FuzzDecide(f *testing.F) {
	f.Add("GET", "app.example.com", "/admin", "Accept", "text/html")
	f.Add("OPTIONS", "x:1", "*", "Origin", "https://a.example")
	p, err := policy.New(policy.Config{Default: policy.Default{Access: policy.DenyAccess}}, policy.Deps{Authenticator: known{&policy.Principal{TokenType: policy.SessionToken, UserID: "u"}}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, host, target, name, value string) {
		d := p.Decide(context.Background(), &policy.Request{Method: method, Scheme: "https", Host: host, Target: target, Headers: []policy.Header{{Name: name, Value: value}}})
		if d.Allowed() || d.Status < 300 || d.Reason == "" || http.StatusText(d.Status) == "" {
			t.Errorf("%v %d %s", d.Outcome, d.Status, d.Reason)
		}
		if d.Reason == policy.ReasonPanic {
			t.Errorf("panic: %v", d.Cause)
		}
	})
}
