package weburl

import (
	"strings"
)

// URL is an http or https URL in the parts and the spelling that the URL
// standard of the WHATWG gives it. Browsers and Clerk's own library compare and
// write URLs by that standard, which net/url does not follow.
type URL struct {
	Scheme string // http or https
	user   string // with "@", or ""
	Host   string // lower case, with a port that is not the default one
	Path   string // begins with "/"
	Query  string // without "?"; HasQuery tells an empty one from none
	// Fragment is with "#", or "".
	Fragment string
	HasQuery bool
}

// Origin is scheme, host and port.
func (u *URL) Origin() string { return u.Scheme + "://" + u.Host }

// Hostname is the host without a port.
func (u *URL) Hostname() string {
	if at := strings.LastIndexByte(u.Host, ':'); at >= 0 && !strings.HasSuffix(u.Host, "]") {
		return u.Host[:at]
	}
	return u.Host
}

// String is the URL in full.
func (u *URL) String() string {
	s := u.Scheme + "://" + u.user + u.Host + u.Path
	if u.HasQuery {
		s += "?" + u.Query
	}
	return s + u.Fragment
}

// Form is the query, taken apart.
func (u *URL) Form() Form { return parseForm(u.Query) }

// WithForm is the URL with another query. An empty one leaves no "?".
func (u *URL) WithForm(f Form) *URL {
	out := *u
	out.Query = f.Encode()
	out.HasQuery = out.Query != ""
	return &out
}

// Parse reads an absolute http or https URL. It reports false for
// everything else.
func Parse(text string) (*URL, bool) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, ok := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return nil, false
	}
	u := &URL{Scheme: scheme}
	rest = strings.TrimLeft(rest, `/\`)
	rest, u.Fragment = cutFragment(rest)
	end := strings.IndexAny(rest, `/\?`)
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.user, authority = userInfo(authority[:at]), authority[at+1:]
	}
	if u.Host, ok = ParseHost(authority, scheme); !ok {
		return nil, false
	}
	u.SetTarget(rest[end:])
	return u, true
}

func cutFragment(text string) (rest, fragment string) {
	rest, fragment, ok := strings.Cut(text, "#")
	if !ok {
		return rest, ""
	}
	return rest, "#" + escapeURL(fragment, " \"<>`")
}

func userInfo(text string) string {
	name, password, _ := strings.Cut(text, ":")
	const set = " \"#<>?`{}/:;=@[\\]^|"
	name, password = escapeURL(name, set), escapeURL(password, set)
	switch {
	case password != "":
		return name + ":" + password + "@"
	case name != "":
		return name + "@"
	}
	return ""
}

// SetTarget sets path and query from a target in origin-form (RFC 9112 § 3.2.1), with
// dot segments resolved and escaped as the standard writes them.
func (u *URL) SetTarget(target string) {
	path, query, ok := strings.Cut(target, "?")
	u.Path, u.HasQuery = canonicalPath(path), ok
	u.Query = escapeURL(query, " \"#<>'")
}

// canonicalPath resolves dot segments, reads a backslash as a slash, and escapes
// what may not stand in a path.
func canonicalPath(path string) string {
	path = strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "/")
	var out []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			out = out[:max(0, len(out)-1)]
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, escapeURL(segment, " \"#<>?`{}"))
		}
	}
	return "/" + strings.Join(out, "/")
}

// escapeURL percent-encodes control characters, bytes outside ASCII and those of
// set.
func escapeURL(text, set string) string {
	special := func(c byte) bool { return c < ' ' || c > '~' || strings.IndexByte(set, c) >= 0 }
	plain := true
	for i := range len(text) {
		plain = plain && !special(text[i])
	}
	if plain {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if special(text[i]) {
			writeEscape(&b, text[i])
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

func writeEscape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}
