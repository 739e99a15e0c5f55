package pathpattern

import "testing"

func BenchmarkMatch(b *testing.B) {

	for _, bench := range []struct {
		name, pattern, path string
		want                bool
	}{
		{"literal", "/api/webhooks/clerk", "/api/webhooks/clerk", true},
		{"wildcard", "/dashboard(.*)", "/dashboard/settings/billing", true},
		{"param", "/users/:id/posts/:post", "/users/user_2abcdef/posts/1234", true},
		{"subtree", "/dashboard/:path*", "/dashboard/settings/billing", true},
		{"alternatives", "/(api|trpc)(.*)", "/api/webhooks/clerk", true},
		{"lookahead", nextMatcher, "/dashboard/settings/billing", true},
		{"miss", "/users/:id/posts/:post", "/dashboard/settings/billing", false},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := Compile(bench.pattern, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := p.Match(bench.path); ok != bench.want || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
