package pathpattern

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func equalParams(a, b Params) bool { return slices.Equal(a, b) }

func mustCompile(t testing.TB, pattern string, o Options) *Pattern {
	t.Helper()
	p, err := Compile(pattern, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func match(t testing.TB, p *Pattern, path string) bool {
	t.Helper()
	ok, err := p.Match(path)
	if err != nil {
		t.Fatalf("Match(%q, %q): %v", p, path, err)
	}
	return ok
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pattern, path string
		want                bool
	}{
		{"a path matches without regard to case", "/Foo", "/fOO", true},
		{"one trailing slash is put up with", "/foo", "/foo/", true},
		{"a second one is not", "/foo", "/foo//", false},
		{"a final ? is put up with", "/foo", "/foo?", true},
		{"a pattern with a final slash asks for it", "/foo/", "/foo", false},
		{"a wildcard takes siblings too", "/admin(.*)", "/administrator", true},
		{"a wildcard after a slash needs the slash", "/admin/(.*)", "/admin", false},
		{"a repeated parameter takes the path above", "/admin/:path*", "/admin", true},
		{"a repeated parameter takes what is below", "/admin/:path*", "/admin/a/b", true},
		{"a repeated parameter takes no sibling", "/admin/:path*", "/administrator", false},
		{"a parameter is one segment", "/users/:id", "/users/a/b", false},
		{"text before a parameter does not come again in it", "/:a--:b", "/x--y--z", true},
		{"a dot separates parameters", "/:name.:ext", "/a.tar.gz", true},
		{"a brace group may be optional", "/blog{/:slug}?", "/blog", true},
		{"an escaped mark stands for itself", `/a\*`, "/a*", true},
		{"a backslash at the end yields nothing", `/a\`, "/a", true},
		{"k does not match the Kelvin sign", "/k", "/\u212a", false},
		{"s does not match the long s", "/s", "/\u017f", false},
		{"a class with k does not match the Kelvin sign", "/([k-s]+)", "/k\u212a", false},
		{"sigma matches final sigma", "/σ", "/ς", true},
		{"omega does not match the ohm sign", "/ω", "/\u2126", false},
		{"sharp s is equal to itself alone", "/ß", "/ẞ", false},
		{"a digraph matches its title case", "/ǆ", "/ǅ", true},
		{"a pair of surrogates is two units to a dot", "/(..)", "/😀", true},
		{"a dot takes no pair of surrogates", "/(.)", "/😀", false},
		{"a class takes half a pair", "/([\\ud83d].)", "/😀", true},
		{"a back-reference folds case", "/((?<n>a)\\k<n>)", "/aA", true},
		{"a back-reference does not fold into ASCII", "/((?<n>k)\\k<n>)", "/k\u212a", false},
		{"a look-behind sees what was read", "/(.*)((?<=x)y)", "/xy", true},
		{"a look-ahead is read where it stands", "/((?!public).*)", "/PUBLIC", false},
		{"a look-ahead to the end leaves what is longer", "/((?!public$).*)", "/publication", true},
		{"nested look-aheads", "/((?!.*(?!b)a).*)", "/bb", true},
		{"a named group may be nested", "/a((?<n>b))", "/ab", true},
		{"a wildcard takes a line feed", "/x(.*)", "/x\ny", true},
		{"an empty class matches nothing", "/([])", "/", false},
		{"invalid UTF-8 matches no text", "/é", "/\xc3", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := match(t, mustCompile(t, test.pattern, Options{}), test.path); got != test.want {
				t.Errorf("Match(%q, %q) = %v", test.pattern, test.path, got)
			}
		})
	}
}

func TestTheReferenceStopsAtLineTerminatorsAndTheDefaultDoesNot(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/x(.*)", "/x/(.*)", "/:a(.*)", "/((?!y).*)"} {
		for _, end := range []string{"\n", "\r", "\u2028", "\u2029"} {
			path := "/x/a" + end + "b"
			if match(t, mustCompile(t, pattern, Options{Reference: true}), path) {
				t.Errorf("reference: Match(%q, %q) = true", pattern, path)
			}
			if !match(t, mustCompile(t, pattern, Options{}), path) {
				t.Errorf("default: Match(%q, %q) = false", pattern, path)
			}
		}
	}
}

// The matcher of Clerk's guide for Next.js works as pasted. Next compiles it
// without flag i and runs it on the path as sent; this dialect ignores case and
// reads the path decoded. The paths where that shows come last.
func TestMatchCaseTakesLettersAsWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"/About", "/About", true},
		{"/About", "/about", false},
		{"/é", "/É", false},
		{"/:page", "/ABOUT", true},
		{"/:page([a-c]+)", "/abc", true},
		{"/:page([a-c]+)", "/aBc", false},
		{"/a(.*)", "/aXYZ", true},
		{"/((?!admin).*)", "/Admin", true},
		{`/:a/(\x61)`, "/x/A", false},
	} {
		p, err := Compile(test.pattern, Options{MatchCase: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Match(test.path); got != test.want || err != nil {
			t.Errorf("%s on %s: %v, %v", test.pattern, test.path, got, err)
		}
	}
}

func TestTheMatcherOfTheNextGuideWorksAsPasted(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, nextMatcher, Options{})
	judged := strings.Fields(`
		/ /dashboard /dashboard/ /data.json /app.json /app.jsonx /app.mjs /x.map /x.txt /robots.txt /sitemap.xml
		/doc.pdf /img.avif /font.eot /__clerk /__clerk/v1/client /.well-known/x /a.b/c /search /a.mp4 /a.wasm`)
	skipped := strings.Fields(`
		/_next/static/x.js /_next /_nextfoo /logo.png /a/b/style.css /app.js /app.js/ /app.jsx /app.jso /font.woff
		/font.woff2 /favicon.ico /icon.icon /report.csv /report.csv/private /users/jane.cssmith /dashboard.html/secret
		/dashboard/v1.zip-download /api/report.csv /apix/logo.png /trpc/a.css
		/__clerk/npm/@clerk/clerk-js@5/dist/clerk.browser.js /site.webmanifest /x.docs /x.xlsm /x.webp /.css
		/foo.htm /foo.html5 /a.jpgx /a.jpeg /dashboard/.png`)
	otherwiseInNext := strings.Fields(`/_NEXT/x /LOGO.PNG /x.CSS /x%2Ecss`)
	for _, path := range judged {
		if !matchNormalized(t, p, path) {
			t.Errorf("%s is skipped", path)
		}
	}
	for _, path := range append(skipped, otherwiseInNext...) {
		if matchNormalized(t, p, path) {
			t.Errorf("%s is judged", path)
		}
	}
}

const nextMatcher = `/((?!_next|[^?]*\.(?:html?|css|js(?!on)|jpe?g|webp|png|gif|svg|ttf|woff2?|ico|csv|docx?|xlsx?|zip|webmanifest)).*)`

func matchNormalized(t *testing.T, p *Pattern, path string) bool {
	t.Helper()
	path, err := Normalize(path)
	if err != nil {
		t.Fatal(err)
	}
	return match(t, p, path)
}

func TestParams(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pattern, path string
		want                Params
	}{
		{"a parameter takes its segment as it is spelled", "/users/:id", "/USERS/Ab", Params{{"id", "Ab"}}},
		{"several, in order", "/:a/x/:b", "/1/x/2", Params{{"a", "1"}, {"b", "2"}}},
		{"a repeated parameter has its whole text", "/files/:path*", "/files/a/b/c", Params{{"path", "a/b/c"}}},
		{"a trailing slash is no part of it", "/files/:path*", "/files/a/", Params{{"path", "a"}}},
		{"an absent parameter is absent", "/:lang(en|de)?/docs", "/docs", nil},
		{"an unnamed parameter has a number", "/(api|trpc)(.*)", "/api/x", Params{{"0", "api"}, {"1", "/x"}}},
		{"numbers count unnamed parameters alone", "/:a/(.*)", "/x/y", Params{{"a", "x"}, {"0", "y"}}},
		{"an empty text is taken, too", "/x(.*)", "/x", Params{{"0", ""}}},
		{"a brace group captures its parameter", "/a{-:b}?", "/a-c", Params{{"b", "c"}}},
		{"after a look-ahead", "/((?!x).*)/:id", "/a/b", Params{{"0", "a"}, {"id", "b"}}},
		{"an optional repetition that took nothing took no part", "/a([b]*)?", "/a", nil},
		{"beyond U+FFFF", "/:a/:b", "/😀/é", Params{{"a", "😀"}, {"b", "é"}}},
		{"beyond U+FFFF after a look-ahead", "/((?!x).*)", "/😀", Params{{"0", "😀"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := mustCompile(t, test.pattern, Options{}).Params(test.path)
			if !ok || err != nil || !equalParams(got, test.want) {
				t.Errorf("Params(%q, %q) = %q, %v, %v", test.pattern, test.path, got, ok, err)
			}
		})
	}
}

func TestParamsOfAPathThatDoesNotMatchAreNone(t *testing.T) {
	t.Parallel()
	got, ok, err := mustCompile(t, "/users/:id", Options{}).Params("/orgs/1")
	if got != nil || ok || err != nil {
		t.Errorf("Params = %q, %v, %v", got, ok, err)
	}
}

func TestGetReturnsTheLastParameterOfAName(t *testing.T) {
	t.Parallel()
	ps := Params{{"a", "1"}, {"b", "2"}, {"a", "3"}}
	if v, ok := ps.Get("a"); v != "3" || !ok {
		t.Errorf("Get(a) = %q, %v", v, ok)
	}
	if v, ok := ps.Get("c"); v != "" || ok {
		t.Errorf("Get(c) = %q, %v", v, ok)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, "/:org/(a|b)/:path*{-:x}?(.*)", Options{})
	if got, want := p.Names(), []string{"org", "0", "path", "x", "1"}; !slices.Equal(got, want) {
		t.Errorf("Names = %q, want %q", got, want)
	}
	if p.String() != "/:org/(a|b)/:path*{-:x}?(.*)" {
		t.Errorf("String = %q", p)
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"/": "/", "/a/b": "/a/b", `/a\*b`: "/a*b", "/{a}b": "/ab",
		"/:a": "", "/a(.*)": "", "/{a}?b": "", "/(a)": "",
	} {
		got, ok := mustCompile(t, pattern, Options{}).Literal()
		if got != want || ok != (want != "") {
			t.Errorf("Literal(%q) = %q, %v", pattern, got, ok)
		}
	}
}

// What no table can hold runs on the backtracking engine, and a path that would
// keep it busy is given up on.
func TestAMatchThatTakesTooLongIsAnError(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, `/((?:a|aa|a(?<=a))+\b!)`, Options{})
	if !match(t, p, "/aaa!") {
		t.Error("a short path does not match")
	}
	ok, err := p.Match("/" + strings.Repeat("a", 5000))
	if ok || !errors.Is(err, ErrTimeout) {
		t.Errorf("Match = %v, %v", ok, err)
	}
	params, ok, err := p.Params("/" + strings.Repeat("a", 5000))
	if params != nil || ok || !errors.Is(err, ErrTimeout) {
		t.Errorf("Params = %v, %v, %v", params, ok, err)
	}
}

// Expressions that make a backtracking engine explode are matched by the table.
func TestRepetitionInRepetitionTakesLinearTime(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/((?:a+)+)b", "/((?!(?:a|aa)+$)(?:a*)*)b", "/:a*/:b*/:c*/x"} {
		p := mustCompile(t, pattern, Options{})
		if p.table == nil {
			t.Fatalf("%q has no table", pattern)
		}
		if match(t, p, "/"+strings.Repeat("a/", 50_000)) {
			t.Errorf("%q matches", pattern)
		}
	}
}

func TestAnExpressionTooLargeForATableStillMatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, pattern, match, miss string }{
		{"for Go's engine", "/((?:x[ab]{3}y){300})", "/" + strings.Repeat("XABAY", 300), "/" + strings.Repeat("xabay", 299)},
		{"for the other, that counts further", "/([^/]{2000})", "/" + strings.Repeat("-", 2000), "/" + strings.Repeat("-", 1999)},
		{"because its states explode", "/((?:.*a.{20})b)", "/--a12345678901234567890b", "/--a1234567890123456789b"},
		{"because its states explode from the end", "/((?!x)b.{20}a.*)", "/b12345678901234567890a--", "/x12345678901234567890a--"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := mustCompile(t, test.pattern, Options{})
			if p.table != nil {
				t.Fatal("it has a table")
			}
			if !match(t, p, test.match) || match(t, p, test.miss) {
				t.Errorf("%q: wrong", test.pattern)
			}
		})
	}
}

func TestTheZeroPatternIsAnError(t *testing.T) {
	t.Parallel()
	var p Pattern
	if ok, err := p.Match("/"); ok || err == nil {
		t.Errorf("Match = %v, %v", ok, err)
	}
	if params, ok, err := p.Params("/"); params != nil || ok || err == nil {
		t.Errorf("Params = %v, %v, %v", params, ok, err)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	for _, pattern := range []string{"/a/b", "/a(.*)", "/:a/:b", "/a/:path*", nextMatcher} {
		p := mustCompile(t, pattern, Options{})
		if n := testing.AllocsPerRun(100, func() { match(t, p, "/a/b") }); n != 0 {
			t.Errorf("Match(%q) allocates %v times", pattern, n)
		}
	}
}
