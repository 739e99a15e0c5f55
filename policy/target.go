package policy

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxTarget bounds the request target, and maxPath the path in it, in bytes:
// what can be read in many ways must be short enough to be read in all of them. A
// query is read in one.
const (
	maxTarget = 64 << 10
	maxPath   = 8 << 10
)

// target is a request target in its canonical form. It is computed once, by
// this parser alone, from the bytes the client sent, for every adapter.
type target struct {
	// raw is the target in origin-form as received: what is forwarded.
	raw string
	// path and query are raw, cut at the first "?". path starts with "/".
	path, query string
	// sentQuery is the query that the client sent, where a proxy rewrote the target.
	sentQuery *string
	// slashes: the path has escaped slashes, which only some rules take.
	slashes bool
	// host is the authority, lower case, without default port and final dot;
	// port is what was left after that, or "".
	host, port string
	// readings are the plausible readings of path; the first is Clerk's.
	readings readings
	// whole are the readings that path would have beside those, did the application
	// not take a prefix off: see [mount]. Only what guards looks at them.
	whole readings
}

// parseTarget reads the request target and the host. What can be read only as
// an attack or a mistake is refused; what upstreams may read in several ways
// comes with all of its readings. scheme decides the default port.
func parseTarget(rawTarget, rawHost, scheme string) (target, Reason) {
	if len(rawTarget) > maxTarget {
		return target{}, ReasonTargetTooLong
	}
	t := target{raw: rawTarget}
	if !strings.HasPrefix(rawTarget, "/") {
		from, authority, rest, ok := cutAbsoluteForm(rawTarget)
		if !ok {
			return target{}, ReasonTargetMalformed
		}
		if rawHost == "" {
			rawHost, scheme = authority, from
		} else if !sameHost(rawHost, scheme, authority, from) {
			return target{}, ReasonHostMalformed
		}
		t.raw = rest
	}
	var reason Reason
	if t.host, t.port, reason = parseHost(rawHost, scheme); reason != "" {
		return target{}, reason
	}
	t.path, t.query, _ = strings.Cut(t.raw, "?")
	if len(t.path) > maxPath {
		return target{}, ReasonTargetTooLong
	}
	if !plainQuery(t.query) {
		return target{}, ReasonTargetMalformed
	}
	if t.readings, reason = readPath(t.path, nil); reason != "" {
		return target{}, reason
	}
	t.slashes = hasEscapedSlash(t.path)
	return t, ""
}

// cutAbsoluteForm splits scheme://authority/path (RFC 9112 § 3.2.2) into scheme,
// authority and origin-form.
func cutAbsoluteForm(raw string) (scheme, authority, originForm string, ok bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return "", "", "", false
	}
	end := strings.IndexAny(rest, "/?")
	switch {
	case end < 0:
		return scheme, rest, "/", true
	case rest[end] == '?':
		return scheme, rest[:end], "/" + rest[end:], true
	default:
		return scheme, rest[:end], rest[end:], true
	}
}

// sameHost reports whether two authorities, each under its scheme, name one host
// and port.
func sameHost(a, schemeA, b, schemeB string) bool {
	hostA, portA, reasonA := parseHost(a, schemeA)
	hostB, portB, reasonB := parseHost(b, schemeB)
	return reasonA == "" && reasonB == "" && hostA == hostB && portA == portB
}

// plainQuery reports whether a query holds nothing that could end it early.
func plainQuery(query string) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == '#' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(query)
}

// parseHost reads the authority: a name or an address, and a port. Names
// compare without case, default port and final dot; anything odd is refused.
func parseHost(raw, scheme string) (host, port string, reason Reason) {
	host = raw
	if i := strings.LastIndexByte(raw, ':'); i >= 0 && !strings.HasSuffix(raw, "]") {
		host, port = raw[:i], raw[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return "", "", ReasonHostMalformed
		}
		if scheme == "https" && port == "443" || scheme != "https" && port == "80" {
			port = ""
		}
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || literal[len(literal)-1] != ']' {
			return "", "", ReasonHostMalformed
		}
		return "[" + addr.String() + "]", port, "" // one address, one spelling
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !plainHost(host) {
		return "", "", ReasonHostMalformed
	}
	return host, port, ""
}

func plainHost(host string) bool {
	if len(host) > 253 || host == "" {
		return false
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && host[i-1] != '.':
		default:
			return false
		}
	}
	return host[len(host)-1] != '.'
}
