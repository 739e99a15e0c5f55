package clerktest

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// visitor is the browser that a request comes from, or nil. A development
// instance takes its apps' word in the query first: their pages are of other
// sites, where cookies of this one are not sent. The caller holds the lock.
func (i *Instance) visitor(r *http.Request) *client {
	if named := r.URL.Query().Get(cookieDevBrowser); named != "" && !i.options.Live {
		if c := i.clientBy(func(c *client) bool { return same(c.devBrowser, named) }); c != nil {
			return c
		}
	}
	cookie, err := r.Cookie(cookieClient)
	if err != nil {
		return nil
	}
	return i.clientBy(func(c *client) bool { return same(c.secret, cookie.Value) })
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// welcome is the browser that a request comes from: one that is not known is
// from now on, by a cookie on the Frontend API's host. The caller holds the
// lock.
func (i *Instance) welcome(w http.ResponseWriter, r *http.Request) *client {
	c := i.visitor(r)
	if c == nil {
		c = i.newClient()
	}
	i.remember(w, r, c)
	return c
}

// remember sets the cookies by which a browser is known on this host and, in
// production, those by which all apps of the site learn that its sessions
// changed.
func (i *Instance) remember(w http.ResponseWriter, r *http.Request, c *client) {
	secure := isSecure(r)
	http.SetCookie(w, &http.Cookie{
		Name: cookieClient, Value: c.secret, Path: "/", MaxAge: year, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	})
	if i.options.Live {
		own := i.cookiesFor(&url.URL{Scheme: scheme(secure), Host: publicHost(r)}, true)
		for _, line := range own.updated(c.updatedAt()) {
			w.Header().Add("Set-Cookie", line)
		}
	}
}

// isSecure says whether the browser uses https, to here or to the app that
// proxies this instance.
func isSecure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Clerk-Proxy-Url"), "https:")
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// publicHost is the host that the browser asked, without port.
func publicHost(r *http.Request) string {
	host := r.Host
	if u, ok := parseWebURL(r.Header.Get("Clerk-Proxy-Url")); ok {
		host = u.Host
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// siteOf is the site of the instance that a host belongs to: its domain or one
// of the satellites, or "".
func (i *Instance) siteOf(host string) string {
	for _, domain := range append([]string{i.options.domain()}, i.options.Satellites...) {
		if domain != "" && (host == domain || strings.HasSuffix(host, "."+domain)) {
			return domain
		}
	}
	return ""
}

// app reads the address of a page of one of the apps: of the origins there are
// and, in production, of any host of the instance's sites.
func (i *Instance) app(text string) (*url.URL, bool) {
	u, ok := parseWebURL(text)
	if !ok {
		return nil, false
	}
	known := slices.Contains(i.options.Origins, originOf(u)) || u.Scheme == "https" && u.Port() == "" && i.siteOf(u.Hostname()) != ""
	return u, known
}

// parseWebURL reads an absolute http or https URL without user information.
func parseWebURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, false
	}
	return u, true
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// tokenFor is a token of the app at a URL (claim azp).
func tokenFor(app string) Token {
	u, ok := parseWebURL(app)
	if !ok {
		return Token{}
	}
	return Token{Claims: map[string]any{"azp": originOf(u)}}
}
