package clerktest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// satelliteOf is the satellite domain whose Frontend API a request asks, or "".
func (i *Instance) satelliteOf(r *http.Request) string {
	domain, ok := strings.CutPrefix(publicHost(r), "clerk.")
	if !ok || !slices.Contains(i.options.Satellites, domain) {
		return ""
	}
	return domain
}

// syncs sends a browser from a satellite's Frontend API to the primary one, if
// it is to learn there who is signed in, and reports whether it did.
func (i *Instance) syncs(w http.ResponseWriter, r *http.Request) bool {
	domain := i.satelliteOf(r)
	if domain == "" {
		return false
	}
	q := r.URL.Query()
	i.mu.RLock()
	known := i.visitor(r) != nil
	i.mu.RUnlock()
	if known && q.Get("__clerk_hs_reason") != "satellite-needs-syncing" {
		return false
	}
	q.Set("link_domain", domain)
	redirect(w, r, i.FrontendURL()+"/v1/client/sync?"+q.Encode())
	return true
}

// serveSync is the primary's part: it sends the browser back to the satellite,
// under a name by which the satellite knows it.
func (i *Instance) serveSync(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	domain := q.Get("link_domain")
	if !slices.Contains(i.options.Satellites, domain) {
		writeError(w, http.StatusBadRequest, "invalid_link_domain", "This is no satellite of this instance.")
		return
	}
	i.mu.Lock()
	token := i.links.put(i.welcome(w, r))
	i.mu.Unlock()
	q.Set("link_token", token)
	redirect(w, r, "https://clerk."+domain+"/v1/client/link?"+q.Encode())
}

// serveLink is the satellite's part: the browser is known there from now on, and
// the handshake that began all this is answered.
func (i *Instance) serveLink(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, ok := i.app(q.Get("redirect_url"))
	i.mu.Lock()
	c, linked := i.links.take(q.Get("link_token"))
	if ok && linked {
		i.remember(w, r, c)
	}
	i.mu.Unlock()
	if !ok || !linked {
		writeError(w, http.StatusBadRequest, "invalid_link", "This link was used, or leads to no app of this instance.")
		return
	}
	i.answerHandshake(w, r, c, back)
}

// redirect sends a browser on, and no cache keeps where to.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusTemporaryRedirect)
}

// withBrowser is an address of an app with the browser's name in it: so an app
// of a development instance learns that something changed.
func withBrowser(back *url.URL, c *client) string {
	if c.devBrowser == "" {
		return back.String()
	}
	return withParameter(*back, cookieDevBrowser, c.devBrowser).String()
}

// withParameter sets a parameter, and leaves the others as they are and in
// their order.
func withParameter(u url.URL, name, value string) *url.URL {
	pairs := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		found, _, _ := strings.Cut(pair, "=")
		return found == name || pair == ""
	})
	u.RawQuery = strings.Join(append(pairs, name+"="+url.QueryEscape(value)), "&")
	return &u
}
