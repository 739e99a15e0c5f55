package browser

import (
	"strconv"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// Clerk's cookies. The first four may also bear the suffix of the instance, and
// the refresh cookie always does.
const (
	sessionCookie    = "__session"
	clientUATCookie  = "__client_uat"   // Unix seconds of the last change, "0" when signed out
	devBrowserCookie = "__clerk_db_jwt" // names the browser to a development instance
	refreshCookie    = "__refresh"
	handshakeCookie  = "__clerk_handshake"
	nonceCookie      = "__clerk_handshake_nonce"
	CountCookie      = "__clerk_redirect_count" // of handshakes in a row: ours
)

// cookieNames are the names that bear the suffix of an instance.
type cookieNames struct{ session, uat, devBrowser, refresh string }

func suffixedNames(suffix string) cookieNames {
	suffix = "_" + suffix
	return cookieNames{sessionCookie + suffix, clientUATCookie + suffix, devBrowserCookie + suffix, refreshCookie + suffix}
}

// MaxSessionCookies bounds how many different session cookies a request may
// carry, and so how many signatures it can make us check.
const MaxSessionCookies = 8

// cookieJar holds the cookies of a request that matter, in the order they came.
type cookieJar struct {
	plain, suffixed cookieFamily
	refresh         cookie
	handshake       cookie
	nonce           cookie
	count           cookie
	// sent and sentPlain: the browser was sent to a handshake.
	sent, sentPlain bool
}

// cookie is one that counts by its first occurrence, even an empty one.
type cookie struct {
	value string
	seen  bool
	// differs is set where another occurrence has another value.
	differs bool
}

func (c *cookie) take(value string) {
	if !c.seen {
		c.value, c.seen = value, true
	} else if c.value != value {
		c.differs = true
	}
}

// cookieFamily are the cookies with the instance's suffix, or those without.
type cookieFamily struct {
	sessions   []string
	uats       []string
	devBrowser cookie
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
		if a.relaxed.Credentials {
			value = compat.DecodeURIComponent(value)
		}
		switch strings.Trim(name, " \t") {
		case sessionCookie:
			jar.plain.sessions = append(jar.plain.sessions, value)
		case a.names.session:
			jar.suffixed.sessions = append(jar.suffixed.sessions, value)
		case clientUATCookie:
			jar.plain.uats = append(jar.plain.uats, value)
		case a.names.uat:
			jar.suffixed.uats = append(jar.suffixed.uats, value)
		case devBrowserCookie:
			jar.plain.devBrowser.take(value)
		case a.names.devBrowser:
			jar.suffixed.devBrowser.take(value)
		case a.names.refresh:
			jar.refresh.take(value)
		case handshakeCookie:
			jar.handshake.take(value)
		case nonceCookie:
			jar.nonce.take(value)
		case CountCookie:
			jar.count.take(value)
		case SentCookie:
			jar.sent = value != ""
		case SentPlainCookie:
			jar.sentPlain = value != ""
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
		return claim.MaxInstant
	}
	return int64(min(seconds, claim.MaxInstant))
}

// before reports whether a token was issued before a client_uat. A token that
// does not say when it was issued was not.
func before(issuedAt time.Time, uat int64) bool {
	return !issuedAt.IsZero() && issuedAt.Before(time.Unix(uat, 0))
}
