package browser

import (
	"slices"
	"strings"
	"unicode"

	"github.com/clerkgate/clerkgate/policy"
)

// cookieField is the Cookie field for the upstream: what the client sent that a
// field can hold, with the renewed cookies in place of the old and without the
// handshake's. An upstream that looks at Clerk's cookies itself then sees what the
// browser will send next.
func (r renewal) cookieField(fields []policy.Header) string {
	var kept, dropped []string
	dropped = append(dropped, handshakeCookie, nonceCookie, SentCookie, SentPlainCookie)
	for _, directive := range r.directives {
		name, _ := cookieOf(directive)
		name = strings.Trim(name, " \t")
		dropped = append(dropped, name)
	}
	for _, h := range fields {
		if !strings.EqualFold(h.Name, "Cookie") {
			continue
		}
		for piece := range strings.SplitSeq(h.Value, ";") {
			piece = strings.Trim(piece, " \t")
			name, _, _ := strings.Cut(piece, "=")
			if piece != "" && !strings.ContainsFunc(piece, unicode.IsControl) && !slices.Contains(dropped, strings.Trim(name, " \t")) {
				kept = append(kept, piece)
			}
		}
	}
	return strings.Join(append(kept, r.pairs()...), "; ")
}

// pairs are the renewed cookies as the browser will send them. Of one name the
// last counts; an empty one is a deletion.
func (r renewal) pairs() []string {
	var names []string
	values := map[string]string{}
	for _, directive := range r.directives {
		head, _, _ := strings.Cut(directive, ";")
		name, value, _ := strings.Cut(head, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		values[name] = value
	}
	var out []string
	for _, name := range names {
		if values[name] != "" && name != handshakeCookie && name != nonceCookie {
			out = append(out, name+"="+values[name])
		}
	}
	return out
}
