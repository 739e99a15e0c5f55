package weburl

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// What is safe to be sent to is read as such by another parser, too.
func FuzzIsSafeRedirect(f *testing.F) {
	for _, seed := range []string{"/", "//evil", "/a/../b", "https://app.example.com/x", "https://app.example.com@evil/", "https://app.example.com:443", "HTTPS://x.sub.example.com/?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !IsSafeRedirect(target, []string{"https://app.example.com", "https://*.sub.example.com"}) {
			return
		}
		base, _ := url.Parse("https://app.example.com/page")
		u, err := base.Parse(target)
		if err != nil {
			return // no browser gets anywhere by it
		}
		host := u.Hostname()
		if host = strings.ToLower(host); u.Scheme != "https" || host != "app.example.com" && !strings.HasSuffix(host, ".sub.example.com") {
			t.Fatalf("%q leads to %v", target, u)
		}
	})
}

// Random addresses that are safe lead to an allowed origin by the rules of the
// URL standard, which browsers follow.
func TestSafeRedirectsLeadToAllowedOrigins(t *testing.T) {
	t.Parallel()
	pieces := []string{"/", "/", "//", `\`, ".", "..", "%2e", "@", ":", "?", "#", "https:", "http://", "HTTPS://", "https://", "app.example.com", "app.example.com", "evil.example", "a.preview.example.com",
		":443", ":8443", "\t", "\n", " ", "\x00", "a", "x", "%2f", "%5c", ";", "&", "=", "javascript:", "\u3000", "\uff0f", "\u200b", "[::1]", "*", "-", "_", "é"}
	origins := []string{"https://app.example.com", "https://*.preview.example.com", "http://localhost:3000"}
	r, safe := rand.New(rand.NewPCG(3, 4)), 0
	for range sessiontest.Iterations(20_000) {
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		target := b.String()
		if !IsSafeRedirect(target, origins) {
			continue
		}
		safe++
		rooted := strings.HasPrefix(target, "/")
		if rooted {
			target = "https://app.example.com" + target
		}
		u, ok := Parse(target)
		if !ok || u.user != "" || u.Scheme != "https" || rooted && strings.HasPrefix(u.Path, "//") ||
			u.Host != "app.example.com" && !strings.HasSuffix(u.Host, ".preview.example.com") {
			t.Fatalf("%q is safe, and leads to %v", b.String(), u)
		}
	}
	if safe == 0 {
		t.Error("nothing is safe")
	}
}
