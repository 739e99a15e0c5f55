package session

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// webURL is an http or https URL in the parts and the spelling that the URL
// standard of the WHATWG gives it. Browsers and Clerk's own library compare and
// write URLs by that standard, which net/url does not follow.
type webURL struct {
	scheme string // http or https
	user   string // with "@", or ""
	host   string // lower case, with a port that is not the default one
	path   string // begins with "/"
	query  string // without "?"; hasQuery tells an empty one from none
	// fragment is with "#", or "".
	fragment string
	hasQuery bool
}

// origin is scheme, host and port.
func (u *webURL) origin() string { return u.scheme + "://" + u.host }

// hostname is the host without a port.
func (u *webURL) hostname() string {
	if at := strings.LastIndexByte(u.host, ':'); at >= 0 && !strings.HasSuffix(u.host, "]") {
		return u.host[:at]
	}
	return u.host
}

// String is the URL in full.
func (u *webURL) String() string {
	s := u.scheme + "://" + u.user + u.host + u.path
	if u.hasQuery {
		s += "?" + u.query
	}
	return s + u.fragment
}

// form is the query, taken apart.
func (u *webURL) form() form { return parseForm(u.query) }

// withForm is the URL with another query. An empty one leaves no "?".
func (u *webURL) withForm(f form) *webURL {
	out := *u
	out.query = f.encode()
	out.hasQuery = out.query != ""
	return &out
}

// parseWebURL reads an absolute http or https URL. It reports false for
// everything else.
func parseWebURL(text string) (*webURL, bool) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, ok := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return nil, false
	}
	u := &webURL{scheme: scheme}
	rest = strings.TrimLeft(rest, `/\`)
	rest, u.fragment = cutFragment(rest)
	end := strings.IndexAny(rest, `/\?`)
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.user, authority = userInfo(authority[:at]), authority[at+1:]
	}
	if u.host, ok = parseWebHost(authority, scheme); !ok {
		return nil, false
	}
	u.setTarget(rest[end:])
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

// setTarget sets path and query from a target in origin-form.
func (u *webURL) setTarget(target string) {
	path, query, ok := strings.Cut(target, "?")
	u.path, u.hasQuery = canonicalPath(path), ok
	u.query = escapeURL(query, " \"#<>'")
}

// parseWebHost reads a host and an optional port.
func parseWebHost(authority, scheme string) (string, bool) {
	host, port := authority, ""
	if at := strings.LastIndexByte(authority, ':'); at >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:at], authority[at+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || port[0] == '+' {
			return "", false
		}
		port = ":" + strconv.FormatUint(n, 10)
	}
	if scheme == "https" && port == ":443" || scheme == "http" && port == ":80" {
		port = ""
	}
	host, ok := canonicalHost(host)
	return host + port, ok
}

// canonicalHost is a host name in lower case and in ASCII, or an address.
func canonicalHost(host string) (string, bool) {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		return "[" + writeIPv6(addr) + "]", err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(literal, "]")
	}
	decoded, err := url.PathUnescape(host)
	if err != nil || !utf8.ValidString(decoded) {
		return "", false
	}
	ascii := strings.ToLower(decoded)
	if strings.ContainsFunc(ascii, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if ascii, err = idna.Lookup.ToASCII(ascii); err != nil {
			return "", false
		}
	}
	labels := strings.Split(strings.TrimSuffix(ascii, "."), ".")
	if last := labels[len(labels)-1]; last != "" && strings.Trim(last, "0123456789") == "" || isNumber(last) {
		return parseIPv4(labels) // a name that ends in a number is an address
	}
	forbidden := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`#/:<>?@[\]^|%`, r) }
	return ascii, ascii != "" && !strings.ContainsFunc(ascii, forbidden)
}

// writeIPv6 writes an address in pieces of 16 bits alone.
func writeIPv6(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	return fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:]))
}

// parseIPv4 reads an address of one to four numbers, of which the last fills
// what the others leave.
func parseIPv4(labels []string) (string, bool) {
	if len(labels) > net.IPv4len {
		return "", false
	}
	var address uint64
	for i, label := range labels {
		n, ok := parseNumber(label)
		rest := net.IPv4len - i
		if i < len(labels)-1 {
			rest = 1
		}
		if !ok || n >= 1<<(8*rest) {
			return "", false
		}
		address = address<<(8*rest) | n
	}
	return netip.AddrFrom4([net.IPv4len]byte(binary.BigEndian.AppendUint32(nil, uint32(address)))).String(), true
}

func isNumber(label string) bool {
	_, ok := parseNumber(label)
	return ok
}

// parseNumber reads a number of an IPv4 address: hexadecimal after 0x, octal
// after 0, else decimal.
func parseNumber(label string) (uint64, bool) {
	digits, base := label, 10
	if rest, hex := strings.CutPrefix(label, "0x"); hex {
		digits, base = rest, 16
		if digits == "" {
			return 0, true
		}
	} else if len(label) > 1 && label[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return n, err == nil && digits[0] != '+'
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
