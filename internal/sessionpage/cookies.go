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

// cookieNames are the cookies by which a browser is signed in: each with the
// instance's suffix and without. Those of other instances on the same domain
// have other suffixes, and stay.
func cookieNames(publishableKey string) []string {
	suffix := "_" + session.CookieSuffix(strings.TrimSpace(publishableKey))
	var names []string
	for _, name := range []string{"__session", "__client_uat", "__refresh"} {
		names = append(names, name, name+suffix)
	}
	return names
}

// clearCookies has the browser forget that it is signed in. Clerk sets these
// cookies with Path=/ and SameSite=Lax, the session for the host alone and
// client_uat for the whole registrable domain; a cookie goes away only by the
// domain that it was set for, so each is cleared for both.
func (v *visit) clearCookies() {
	domains := []string{""}
	if domain := registrable(v.r.Host); domain != "" {
		domains = append(domains, domain)
	}
	secure := v.secure()
	for _, name := range v.cookies {
		for _, domain := range domains {
			http.SetCookie(v.w, &http.Cookie{Name: name, Path: "/", Domain: domain, MaxAge: -1, SameSite: http.SameSiteLaxMode, Secure: secure})
		}
	}
}

// forgetPages has the browser forget the pages that it keeps for its Back button.
// Chromium keeps even those that are not to be stored, and until a cookie changes
// that scripts do not see; so one does, to a value that it never had.
func (v *visit) forgetPages() {
	marker := http.Cookie{Name: "clerkgate-out", Value: rand.Text(), Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if v.secure() {
		marker.Name, marker.Secure = "__Host-"+marker.Name, true
	}
	http.SetCookie(v.w, &marker)
}

// secure reports whether the browser came by TLS.
func (v *visit) secure() bool {
	return v.r.TLS != nil || v.options.Request(v.r).Scheme == "https" || slices.Contains(v.options.Instance.Origins, "https://"+v.r.Host)
}

// registrable is the domain that the host's owner registered: example.com of
// app.example.com. Addresses and names of one label have none.
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
