package pathpattern

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorsSayWhatIsWrongWhereAndWhatToWriteInstead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern    string
		offset     int
		msg        string
		suggestion string
	}{
		{"/api/*", 5, "a bare * is not a wildcard", "/api/(.*)"},
		{"*", 0, "a bare * is not a wildcard", "(.*)"},
		{"/a**", 2, "a bare * is not a wildcard", "/a(.*)"},
		{"/a(.*)/*", 7, "a bare * is not a wildcard", "/a(.*)/(.*)"},
		{"/日本/*", 8, "a bare * is not a wildcard", "/日本/(.*)"},
		{"/a?", 2, "the query is no part of the path", "/a"},
		{"/a?b=1", 2, "the query is no part of the path", "/a"},
		{"/a?b", 2, "a ? stands only after a parameter", ""},
		{"?", 0, "a ? stands only after a parameter", ""},
		{"/a+b", 2, "a + stands only after a parameter", `/a\+b`},
		{"/(", 1, "never closed", ""},
		{`/:a(\d`, 3, "never closed", ""},
		{"/()", 1, "the expression is empty", "/(.*)"},
		{"/(?:a)", 2, "cannot start with ?", "/((?:a))"},
		{"/a(?=b)c", 3, "cannot start with ?", "/a((?=b))c"},
		{"/((a))", 2, "cannot capture", "/((?:a))"},
		{"/:", 1, "needs a name", `/\:`},
		{"/:é", 1, "needs a name", `/\:é`},
		{"/{a", 3, "a brace is never closed", ""},
		{"/{{a}}", 2, "text, then at most one parameter", ""},
		{"/a}", 2, "closes nothing", `/a\}`},
		{"/:foo:bar", 5, "text between two parameters", "/:foo/:bar"},
		{"/x(a)*", 2, "can be repeated with *", "/x((?:a)*)"},
		{"/{:a}*", 1, "can be repeated with *", ""},
		{"/x(a|*)", 5, "nothing to repeat", ""},
		{"/:b([z-a])", 8, "range out of order", ""},
		{"/a([)", 4, "unterminated group", ""},
		{"", 0, "empty", ""},
		{"/\xff", 0, "not UTF-8", ""},
		{strings.Repeat("/:a", 33), 0, "more than 32 parameters", ""},
		{"/" + strings.Repeat("a", 2048), 2048, "longer than 2048 bytes", ""},
	} {
		_, err := Compile(test.pattern, Options{})
		e, ok := errors.AsType[*SyntaxError](err)
		if !ok {
			t.Errorf("Compile(%.40q) = %v", test.pattern, err)
			continue
		}
		if e.Offset != test.offset || !strings.Contains(e.Msg, test.msg) || e.Suggestion != test.suggestion {
			t.Errorf("Compile(%.40q): %+v, want %+v", test.pattern, *e, test)
		}
		if e.Suggestion == "" {
			continue
		}
		if !strings.HasSuffix(e.Error(), "; write "+e.Suggestion) {
			t.Errorf("Error() = %q", e)
		}
		if _, err := Compile(e.Suggestion, Options{}); err != nil {
			t.Errorf("the suggestion for %q: %v", test.pattern, err)
		}
	}
}

func TestThePatternsOfGreatestSizeCompile(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/" + strings.Repeat("é", 1023), strings.Repeat("/:a", 32)} {
		if _, err := Compile(pattern, Options{}); err != nil {
			t.Error(err)
		}
	}
}
