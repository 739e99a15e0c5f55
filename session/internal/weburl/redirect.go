package weburl

import (
	"strings"
	"unicode"
)

// IsSafeRedirect reports whether a browser may be sent to an address: a rooted
// path of the page's own origin, or an absolute URL of an allowed origin. An
// origin is written scheme://host[:port]; "*." at the start of its host stands
// for one label or more. What browsers and servers could read in different ways
// is not safe.
func IsSafeRedirect(target string, origins []string) bool {
	if target == "" || strings.ContainsFunc(target, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	}) {
		return false
	}
	if target[0] == '/' {
		return isSafePath(target) && !strings.HasPrefix(target, "//")
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, port, ok := PlainAuthority(rest[:end])
	if !ok || !isSafePath(rest[end:]) {
		return false
	}
	for _, origin := range origins {
		if allows(origin, strings.ToLower(scheme), host, port) {
			return true
		}
	}
	return false
}

// isSafePath reports whether a path, before query and fragment, is read in one
// way: without backslashes and dot segments.
func isSafePath(text string) bool {
	if at := strings.IndexAny(text, "?#"); at >= 0 {
		text = text[:at]
	}
	if strings.Contains(text, `\`) {
		return false
	}
	for segment := range strings.SplitSeq(text, "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return false
		}
	}
	return true
}

// PlainAuthority splits an authority into a host of letters, digits, "-" and ".", in
// lower case, and a port, which may be "". It is not ok for anything else, such as an
// address of IPv6.
func PlainAuthority(text string) (host, port string, ok bool) {
	host, port, _ = strings.Cut(strings.ToLower(text), ":")
	return host, port, host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && strings.Trim(port, "0123456789") == ""
}

// allows reports whether an allowed origin covers another.
func allows(origin, scheme, host, port string) bool {
	allowedScheme, authority, ok := strings.Cut(strings.ToLower(origin), "://")
	if !ok || allowedScheme != scheme || scheme != "http" && scheme != "https" {
		return false
	}
	parent, below := strings.CutPrefix(authority, "*.")
	allowedHost, allowedPort, ok := PlainAuthority(parent)
	if !ok || withDefault(allowedPort, scheme) != withDefault(port, scheme) {
		return false
	}
	if below {
		sub, ok := strings.CutSuffix(host, "."+allowedHost)
		return ok && sub != "" && !strings.HasPrefix(sub, ".")
	}
	return host == allowedHost
}

func withDefault(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	}
	return "80"
}
