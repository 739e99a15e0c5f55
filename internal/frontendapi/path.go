package frontendapi

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPath bounds the path of a request, in bytes.
const maxPath = 4 << 10

// plainPath reports whether a path, as it was sent, has only one reading: no
// empty and no dotted segment, no escape that hides a slash, a dot, a control
// character or another escape. Nothing in the Frontend API needs any of these.
func plainPath(path string) bool {
	if path == "" || path[0] != '/' || len(path) > maxPath {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if !plainSegment(segment) {
			return false
		}
	}
	return true
}

func plainSegment(segment string) bool {
	decoded, err := url.PathUnescape(segment)
	if err != nil || !utf8.ValidString(decoded) {
		return false
	}
	if strings.ContainsAny(decoded, `/\%?#`) || strings.ContainsFunc(decoded, hidden) {
		return false
	}
	name, _, _ := strings.Cut(decoded, ";") // some servers read parameters away
	name = strings.TrimRight(name, " ")
	return name != "" && strings.Trim(name, ".") != ""
}

// hidden reports whether a character is invisible or ends a line.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// pathBelow returns the path below the prefix, at least "/". It returns false for other
// paths.
func pathBelow(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, true
}
