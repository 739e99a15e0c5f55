package pathpattern

import (
	"strings"
	"testing"
)

func TestLintWarnsOfPatternsThatSayMoreOrLessThanTheySeemTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern string
		want    []string // in the warnings, one each
	}{
		{"/", nil},
		{"(.*)", nil},
		{"/(.*)", nil},
		{"/admin/:path*", nil},
		{"/:path*", nil},
		{"/a-(.*)", nil},
		{"/a%2Fb", nil},
		{"/((?!public).*)", nil},
		{"/admin(.*)", []string{"also matches /adminxyz (for /admin and what is below it write /admin/:path*"}},
		{"/日本(.*)", []string{"for /日本 and what is below it write /日本/:path*"}},
		{"/(api|trpc)(.*)", []string{"write /(api|trpc)/:path*"}},
		{"/admin:rest(.*)", []string{"write /admin/:path*"}},
		{"/:path/a(.*)", []string{"write /:path/a/:more_path*"}},
		{"/a(.*)/b", []string{"/a(.*)/b has no / before (.*), so it also matches a longer name"}},
		{"/x/(.*)", []string{"/x/(.*) does not match /x (for both write /x/:path*"}},
		{"/x/", []string{"/x/ does not match /x (without the final / it matches both"}},
		{"/:a/:a", []string{`names two parameters "a"`}},
		{"/:a/:a(.*)", []string{"/:a/:path*", `names two`}},
		{"/@team/settings", []string{"it is a slot"}},
		{"/users/$id", []string{"write :id"}},
		{"/files/$", []string{"write :path*"}},
		{"/users/_id", []string{"write :id"}},
		{"/@:name/_next", nil},
	} {
		got := mustCompile(t, test.pattern, Options{}).Lint()
		if len(got) != len(test.want) {
			t.Errorf("Lint(%q) = %v", test.pattern, got)
			continue
		}
		for i, want := range test.want {
			if text := got[i].Msg + " (" + got[i].Suggestion; !strings.Contains(text, want) {
				t.Errorf("Lint(%q) = %q, want %q in it", test.pattern, text, want)
			}
		}
	}
}
