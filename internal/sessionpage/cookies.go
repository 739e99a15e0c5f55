package sessionpage

import (
	"crypto/rand"
	"net"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/clerkgate/clerkgate/session"
)

// cookieNames returns the names of Clerk's session cookies: each with the instance's
// suffix and without. Those of other instances on the same domain have other suffixes,
// and are kept.
func cookieNames(publishableKey string) []string {
	suffix := "_" + session.CookieSuffix(strings.TrimSpace(publishableKey))
	var names []string
	for _, name := range []string{"__session", "__client_uat", "__refresh"} {
		names = append(names, name, name+suffix)
	}
	return names
}

// clearCookies deletes Clerk's session cookies in the browser. Clerk sets them with
// Path=/ and SameSite=Lax, the session for the host alone and client_uat for the whole
// registrable domain. A cookie is deleted only by the domain for which it was set, so
// each is cleared for both.
func (q *pageRequest) clearCookies() {
	domains := []string{""}
	if domain := registrable(q.r.Host); domain != "" {
		domains = append(domains, domain)
	}
	secure := q.secure()
	for _, name := range q.cookies {
		for _, domain := range domains {
			http.SetCookie(q.w, &http.Cookie{Name: name, Path: "/", Domain: domain, MaxAge: -1, SameSite: http.SameSiteLaxMode, Secure: secure})
		}
	}
}

// invalidateBackCache invalidates the pages in the browser's back/forward cache.
// Chromium caches even those with no-store, until an HttpOnly cookie changes; so this
// sets one to a new value.
func (q *pageRequest) invalidateBackCache() {
	marker := http.Cookie{Name: "clerkgate-out", Value: rand.Text(), Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if q.secure() {
		marker.Name, marker.Secure = "__Host-"+marker.Name, true
	}
	http.SetCookie(q.w, &marker)
}

// secure reports whether the browser uses HTTPS.
func (q *pageRequest) secure() bool {
	return q.r.TLS != nil || q.options.Request(q.r).Scheme == "https" || slices.Contains(q.options.Instance.Origins, "https://"+q.r.Host)
}

// registrable returns the registrable domain (eTLD+1) of a host: example.com for
// app.example.com. Addresses and names with one label have none.
func registrable(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return domain
}
