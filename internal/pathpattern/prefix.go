package pathpattern

import (
	"strings"
	"unicode/utf8"

	"github.com/clerkgate/clerkgate/internal/pathpattern/jsregexp"
)

// prefixMatcher matches the two commonest kinds of pattern by hand: text alone,
// and text followed by (.*).
type prefixMatcher struct {
	text     []rune // in canonical case
	wildcard bool   // a (.*) follows
	sameLine bool   // which does not take line terminators
}

// newPrefixMatcher returns nil for patterns of any other kind.
func newPrefixMatcher(tokens []token, o Options) *prefixMatcher {
	m := &prefixMatcher{sameLine: o.Reference}
	for i, t := range tokens {
		switch {
		case !t.group:
			m.append(t.text)
		case t.modifier == "" && t.expression == "":
			m.append(t.prefix + t.suffix)
		case t.modifier == "" && t.expression == ".*" && t.suffix == "" && i == len(tokens)-1:
			m.append(t.prefix)
			m.wildcard = true
		default:
			return nil
		}
	}
	return m
}

func (m *prefixMatcher) append(text string) {
	for _, r := range text {
		m.text = append(m.text, jsregexp.Canonical(r))
	}
}

func (m *prefixMatcher) match(path string) bool {
	rest, ok := m.cut(path)
	switch {
	case !ok:
		return false
	case !m.wildcard:
		return rest == "" || len(rest) == 1 && strings.IndexByte(delimiters, rest[0]) >= 0
	}
	return !m.sameLine || !strings.ContainsAny(rest, "\n\r\u2028\u2029")
}

// cut takes m.text, in any case, from the start of path.
func (m *prefixMatcher) cut(path string) (rest string, ok bool) {
	for _, want := range m.text {
		if path == "" {
			return "", false
		}
		r, size := rune(path[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(path)
		}
		if jsregexp.Canonical(r) != want {
			return "", false
		}
		path = path[size:]
	}
	return path, true
}
