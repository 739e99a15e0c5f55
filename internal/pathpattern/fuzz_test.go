package pathpattern

import (
	"errors"
	"testing"

	"github.com/clerkgate/clerkgate/internal/pathpattern/jsregexp"
)

var seeds = []struct{ pattern, path string }{
	{"/", "/"},
	{"/dashboard(.*)", "/dashboard/a\nb"},
	{"/users/:id/posts/:post", "/users/1/posts/2/"},
	{"/:a*/:b+.:c?", "/a/b/c.d"},
	{"/a{-:b(\\d{2,3})x}*(.*)", "/a-12x-345xyz"},
	{"/((?!a|b$).*)", "/abc"},
	{"/([^k-s\\W]+|\\u017f*?)", "/\u212a\u017f"},
	{"/(.[\\ud83d]?)--:x", "/😀--y"},
	{"/((?<n>a)\\k<n>\\b(?<=a))", "/aA"},
	{"/([)(])x", "/)x"},
	{nextMatcher, "/app.json"},
}

// Compile never panics; what it refuses it explains, at a place that is there.
func FuzzCompile(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed.pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		p, err := Compile(pattern, Options{})
		if err == nil {
			p.Lint()
			return
		}
		e, ok := errors.AsType[*SyntaxError](err)
		if !ok || p != nil || e.Msg == "" || e.Offset < 0 || e.Offset > len(pattern) {
			t.Errorf("Compile(%q) = %v, %#v", pattern, p, err)
		}
	})
}

// All engines that can run an expression agree, and without look-around the
// default matches all that the reference does.
func FuzzMatch(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed.pattern, seed.path)
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		reference, regular := matchEverywhere(t, pattern, path, Options{Reference: true})
		byDefault, _ := matchEverywhere(t, pattern, path, Options{})
		if regular && reference && !byDefault {
			t.Errorf("only the reference matches %q with %q", path, pattern)
		}
	})
}

// matchEverywhere matches with each engine that can run the pattern.
func matchEverywhere(t *testing.T, pattern, path string, o Options) (matched, regular bool) {
	p, err := Compile(pattern, o)
	if err != nil {
		return false, false
	}
	matched, err = p.Match(path)
	if err != nil {
		return false, false
	}
	re, err := jsregexp.Parse(build(p.tokens).String(), jsregexp.Options{DotAll: !o.Reference})
	if err != nil {
		t.Fatal(err)
	}
	engines := make([]engine, 0, 2)
	for _, make := range []func(*jsregexp.Regexp) (engine, error){newEngine, newBacktracking} {
		if e, err := make(re); err == nil {
			engines = append(engines, e)
		}
	}
	for _, e := range engines {
		if got, err := e.match(path); err == nil && got != matched {
			t.Errorf("%q with %q: %T says %v, Match %v", path, pattern, e, got, matched)
		}
	}
	if _, ok, err := p.Params(path); err == nil && ok != matched {
		t.Errorf("%q with %q: Params says %v, Match %v", path, pattern, ok, matched)
	}
	return matched, re.Regular()
}
