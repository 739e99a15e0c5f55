package policy

import "strings"

// clerkCookies are the cookies by which Clerk knows a browser: session token,
// sign-in time, refresh token and, where a site proxies the Frontend API, the
// client. Each may bear the suffix of an instance: "_" and eight characters of
// base64url.
var clerkCookies = []string{"__session", "__client_uat", "__refresh", "__client"}

// clerkCookiePrefix begins the names of all others: __clerk_db_jwt,
// __clerk_handshake, __clerk_handshake_nonce and so on.
const clerkCookiePrefix = "__clerk_"

// suffixLength is that of an instance's cookie suffix, without the "_".
const suffixLength = 8

// isClerkCookie reports whether a cookie of that name is Clerk's.
func isClerkCookie(name string) bool {
	if strings.HasPrefix(name, clerkCookiePrefix) {
		return true
	}
	for _, base := range clerkCookies {
		if rest, ok := strings.CutPrefix(name, base); ok && (rest == "" || isCookieSuffix(rest)) {
			return true
		}
	}
	return false
}

func isCookieSuffix(text string) bool {
	return len(text) == 1+suffixLength && text[0] == '_' && strings.IndexFunc(text, func(r rune) bool {
		return foldByte(byte(r)) == '-' && r != '-' && r != '_' || r > 0x7f
	}) < 0
}

// withoutClerkCookies joins Cookie fields without Clerk's cookies, and reports
// whether there were any. All other pieces stay as they are, byte for byte.
func withoutClerkCookies(fields []string) (kept string, changed bool) {
	for _, field := range fields {
		changed = changed || strings.Contains(field, "__") && hasClerkCookie(field)
	}
	if !changed {
		return "", false
	}
	var b strings.Builder
	for _, field := range fields {
		for piece := range strings.SplitSeq(field, ";") {
			if isClerkPiece(piece) {
				continue
			}
			if piece = strings.TrimLeft(piece, " \t"); piece == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(piece)
		}
	}
	return b.String(), true
}

func hasClerkCookie(field string) bool {
	for piece := range strings.SplitSeq(field, ";") {
		if isClerkPiece(piece) {
			return true
		}
	}
	return false
}

// isClerkPiece reports whether a piece of a Cookie field is one of Clerk's: the
// name before the first "=", without the space and control characters that one
// reader or another trims.
func isClerkPiece(piece string) bool {
	name, _, _ := strings.Cut(piece, "=")
	return isClerkCookie(strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }))
}
