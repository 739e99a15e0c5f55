package session

import (
	"strconv"
	"strings"
	"time"
)

// The cookies of a browser that is signed in. Each may also bear the suffix of
// the instance.
const (
	sessionCookie   = "__session"
	clientUATCookie = "__client_uat" // Unix seconds of the last change, "0" when signed out
)

// maxSessionCookies bounds how many session cookies a request may carry, and so
// how many signatures it can make us check.
const maxSessionCookies = 8

// cookieJar holds the cookies of a request that matter, in the order they came.
type cookieJar struct {
	plain, suffixed cookieFamily
}

// cookieFamily are the cookies with the instance's suffix, or those without.
type cookieFamily struct {
	sessions []string
	uats     []string
}

// readCookies adds the cookies of one Cookie field: pieces between semicolons,
// each a name and a value around the first "=", compared byte for byte. Nothing
// is unquoted.
func (a *Authenticator) readCookies(jar *cookieJar, field string) {
	for piece := range strings.SplitSeq(field, ";") {
		name, value, ok := strings.Cut(piece, "=")
		if !ok {
			continue
		}
		value = strings.Trim(value, " \t")
		if a.relaxed.credentials {
			value = decodeURIComponent(value)
		}
		switch strings.Trim(name, " \t") {
		case sessionCookie:
			jar.plain.sessions = append(jar.plain.sessions, value)
		case a.suffixedSession:
			jar.suffixed.sessions = append(jar.suffixed.sessions, value)
		case clientUATCookie:
			jar.plain.uats = append(jar.plain.uats, value)
		case a.suffixedUAT:
			jar.suffixed.uats = append(jar.suffixed.uats, value)
		}
	}
}

// first returns the first value of a cookie. Of several the first counts, even
// an empty one; an empty one is as good as none.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// session and uat are the family's first cookies, "" where there is none.
func (f cookieFamily) session() string { return first(f.sessions) }
func (f cookieFamily) uat() string     { return first(f.uats) }

// clientUAT reads a client_uat cookie: the Unix time since when the browser is
// signed in, in decimal digits. Everything else says signed out: zero.
func clientUAT(value string) int64 {
	if strings.Trim(value, "0123456789") != "" {
		return 0
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil && value != "" {
		return maxInstant
	}
	return int64(min(seconds, maxInstant))
}

// before reports whether a token was issued before a client_uat. A token that
// does not say when it was issued was not.
func before(issuedAt time.Time, uat int64) bool {
	return !issuedAt.IsZero() && issuedAt.Before(time.Unix(uat, 0))
}
