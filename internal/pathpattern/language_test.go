package pathpattern

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func languageFor(t *testing.T, pattern string, o Options) *Language {
	t.Helper()
	l, ok := mustCompile(t, pattern, o).Language()
	if !ok {
		t.Fatalf("%s has no language", pattern)
	}
	return l
}

func TestWhatPatternsLeaveToOneAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		others  []string
		left    bool
	}{
		{"/admin", nil, true},
		{"admin", nil, false},
		{":id", nil, false},
		{"(api|trpc)(.*)", nil, false},
		{"((?!_next).*)", nil, true},
		{"/a//b", nil, false},
		{"/admin", []string{"/admin(.*)"}, false},
		{"/admin(.*)", []string{"/admin"}, true},
		{"/admin(.*)", []string{"/admin/:path*"}, true},
		{"/admin/:path*", []string{"/admin", "/admin/:path+"}, false},
		{"/orgs/:slug", []string{"/orgs/([a-m].*)", "/orgs/([^a-m].*)"}, false},
		{"/orgs/:slug", []string{"/orgs/([a-m].*)", "/orgs/([^a-n].*)"}, true},
		{"/users/:id(\\d+)", []string{"/users/:id"}, false},
		{"/users/:id", []string{"/users/:id(\\d+)"}, true},
		{"/admin(.*)", []string{"/((?!_next).*)"}, false},
		{"/_next/(.*)", []string{"/((?!_next).*)"}, true},
		{"/((?!_next).*)", []string{"/(.*)"}, false},
		{"/ADMIN", []string{"/admin"}, false},
	} {
		var others []*Language
		for _, other := range c.others {
			others = append(others, languageFor(t, other, Options{}))
		}
		path, left, known := languageFor(t, c.pattern, Options{}).Example(others...)
		if !known || left != c.left {
			t.Errorf("%s without %q: %q, %v, known %v", c.pattern, c.others, path, left, known)
		}
	}
	if path, left, _ := languageFor(t, "/Admin", Options{MatchCase: true}).Example(languageFor(t, "/admin", Options{MatchCase: true})); !left || !strings.HasPrefix(path, "/Admin") {
		t.Errorf("letter case makes no difference: %q", path)
	}
}

// Whatever the search finds is what the patterns say, and what it finds nothing
// for has no example among random paths either.
func TestExamplesAreWhatThePatternsSay(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	pieces := strings.Fields("/a /b /:x /:x* /(.*) (.*) /:x(a|b) {/c}? /((?!a).*) /:x(\\d+) .json")
	pattern := func() string {
		text := "/a"
		for range r.IntN(3) {
			text += pieces[r.IntN(len(pieces))]
		}
		return text
	}
	empty := 0
	for range 300 {
		var compiled []*Pattern
		var languages []*Language
		for len(compiled) < 3 {
			p, err := Compile(pattern(), Options{})
			if err != nil {
				continue
			}
			l, ok := p.Language()
			if !ok {
				t.Fatalf("%s has no language", p)
			}
			compiled, languages = append(compiled, p), append(languages, l)
		}
		only := func(path string) bool {
			first, _ := compiled[0].Match(path)
			second, _ := compiled[1].Match(path)
			third, _ := compiled[2].Match(path)
			return first && !second && !third
		}
		path, found, known := languages[0].Example(languages[1:]...)
		switch {
		case !known:
			t.Errorf("%v: not known", compiled)
		case found && !only(path):
			t.Errorf("%v: %q is no example", compiled, path)
		case !found:
			empty++
			for range 200 {
				random := "/a"
				for range r.IntN(4) {
					random += strings.Fields("/a /b /c /7 x .json / /axe")[r.IntN(8)]
				}
				if random = mergeSlashes(random); only(random) {
					t.Errorf("%v: %q was not found", compiled, random)
				}
			}
		}
	}
	if empty == 0 {
		t.Error("no pattern was covered by others")
	}
}
