package clerktest

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
)

// The cookies of apps. With the suffix of the instance they are told from those
// of other instances on the same domain.
const (
	cookieSession    = "__session"
	cookieUpdated    = "__client_uat"
	cookieRefresh    = "__refresh"
	cookieDevBrowser = "__clerk_db_jwt"
	cookieHandshake  = "__clerk_handshake"
	cookieNonce      = "__clerk_handshake_nonce"
)

// cookieClient is the browser's cookie on the Frontend API's own host.
const cookieClient = "__client"

// year is how long cookies are kept; the tokens in them end sooner.
const year = 365 * 24 * 60 * 60

// cookieSuffix is the start of a hash of the publishable key.
func (i *Instance) cookieSuffix() string {
	sum := sha1.Sum([]byte(i.publishableKey)) // Clerk's choice; a name, not a proof
	return "_" + base64.URLEncoding.EncodeToString(sum[:])[:8]
}

// cookies write the Set-Cookie lines for an app.
type cookies struct {
	// names are the suffixes of the cookies that come in several forms.
	suffixes []string
	suffix   string
	domain   string // all hosts of the site, where there is one
	secure   bool
	// strict keeps __client_uat from requests that other sites begin.
	strict http.SameSite
}

// cookiesFor are those of an app. Un-suffixed ones are always set. Suffixed ones
// are set when asked for, and by an instance that browsers reach by another name
// than the publishable key's: its un-suffixed tokens would be taken for those of
// another instance.
func (i *Instance) cookiesFor(app *url.URL, suffixed bool) cookies {
	c := cookies{suffixes: []string{""}, suffix: i.cookieSuffix(), secure: app.Scheme == "https", strict: http.SameSiteLaxMode}
	if suffixed || i.options.FrontendURL != "" {
		c.suffixes = []string{c.suffix, ""}
	}
	if i.options.Live {
		c.domain, c.strict = i.siteOf(app.Hostname()), http.SameSiteStrictMode
	}
	return c
}

// signedIn are the lines that sign a browser in.
func (c cookies) signedIn(token, refresh string, updated int64) []string {
	lines := c.session(token)
	if refresh != "" {
		lines = append(lines, c.line(&http.Cookie{Name: cookieRefresh + c.suffix, Value: refresh, MaxAge: year, HttpOnly: true}))
	}
	return append(lines, c.updated(updated)...)
}

// signedOut are the lines that sign a browser out. They remove the cookies of
// both forms, whichever the app used.
func (c cookies) signedOut() []string {
	var lines []string
	for _, name := range []string{cookieSession + c.suffix, cookieRefresh + c.suffix, cookieSession} {
		lines = append(lines, c.line(&http.Cookie{Name: name, MaxAge: -1}))
	}
	return append(lines, c.updated(0)...)
}

// session are the lines of a new session token. Scripts may read it.
func (c cookies) session(token string) []string {
	return c.each(func(suffix string) *http.Cookie {
		return &http.Cookie{Name: cookieSession + suffix, Value: token, MaxAge: year}
	})
}

func (c cookies) updated(at int64) []string {
	return c.each(func(suffix string) *http.Cookie {
		return &http.Cookie{Name: cookieUpdated + suffix, Value: strconv.FormatInt(at, 10), MaxAge: year, Domain: c.domain, SameSite: c.strict}
	})
}

// devBrowser are the lines that tell a development app which browser this is.
func (c cookies) devBrowser(token string) []string {
	return c.each(func(suffix string) *http.Cookie {
		return &http.Cookie{Name: cookieDevBrowser + suffix, Value: token, MaxAge: year}
	})
}

// handshakeDone are the lines that remove a handshake once it was used.
func (c cookies) handshakeDone() []string {
	return []string{
		c.line(&http.Cookie{Name: cookieHandshake, MaxAge: -1, Domain: c.domain, HttpOnly: true}),
		c.line(&http.Cookie{Name: cookieNonce, MaxAge: -1, Domain: c.domain, HttpOnly: true}),
	}
}

func (c cookies) each(cookie func(suffix string) *http.Cookie) []string {
	var lines []string
	for _, suffix := range c.suffixes {
		lines = append(lines, c.line(cookie(suffix)))
	}
	return lines
}

func (c cookies) line(cookie *http.Cookie) string {
	cookie.Path, cookie.Secure = "/", c.secure
	if cookie.SameSite == 0 {
		cookie.SameSite = http.SameSiteLaxMode
	}
	return cookie.String()
}
