package clerktest

import (
	"net/http"
	"net/url"
)

// maxInURL is the largest handshake that goes into a URL or a cookie itself.
const maxInURL = 2 << 10

// serveHandshake tells an app who is signed in in this browser: it sends the
// browser back to the app's page with the cookies to set there, in a signed
// token or under a nonce that the app redeems. A browser that was never here is
// remembered first, so that a handshake answers with cookies in any case.
func (i *Instance) serveHandshake(w http.ResponseWriter, r *http.Request) {
	back, ok := i.app(r.URL.Query().Get("redirect_url"))
	if !ok {
		writeError(w, http.StatusBadRequest, "invalid_redirect_url", "This is no page of an app of this instance.")
		return
	}
	if i.syncs(w, r) {
		return
	}
	i.mu.Lock()
	c := i.welcome(w, r)
	i.mu.Unlock()
	i.answerHandshake(w, r, c, back)
}

// answerHandshake sends a browser back with the cookies of its active session.
// A satellite's page learns that it need not ask again.
func (i *Instance) answerHandshake(w http.ResponseWriter, r *http.Request, c *client, back *url.URL) {
	q := r.URL.Query()
	if organizations, ok := q["organization_id"]; ok {
		i.mu.Lock()
		if c.current != nil {
			i.enter(c.current, organizations[0]) // who is no member stays where they are
		}
		i.mu.Unlock()
	}
	lines := i.handshakeLines(c, back, q.Get("suffixed_cookies") == "true")
	if i.satelliteOf(r) != "" {
		back = withParameter(*back, "__clerk_synced", "true")
	}
	i.carry(w, r, back, lines, q.Get("format") == "nonce")
}

// handshakeLines are the cookies to set at an app.
func (i *Instance) handshakeLines(c *client, app *url.URL, suffixed bool) []string {
	i.mu.RLock()
	updated, devBrowser, refresh := c.updatedAt(), c.devBrowser, ""
	var s *Session
	if c.current != nil {
		s, refresh = i.snapshot(c.current), c.current.refresh
	}
	i.mu.RUnlock()
	write := i.cookiesFor(app, suffixed)
	lines := write.handshakeDone()
	if devBrowser != "" {
		lines = append(lines, write.devBrowser(devBrowser)...)
	}
	if s == nil {
		return append(lines, write.signedOut()...)
	}
	if i.options.NoRefresh {
		refresh = ""
	}
	return append(lines, write.signedIn(i.Mint(s, tokenFor(app.String())), refresh, updated)...)
}

// carry sends the lines along to the app: in the query for a development
// instance, in a cookie of the site for one in production.
func (i *Instance) carry(w http.ResponseWriter, r *http.Request, back *url.URL, lines []string, nonceWanted bool) {
	name, value := cookieHandshake, i.MintHandshake(lines, Token{})
	if i.byNonce(nonceWanted, len(value)) {
		i.mu.Lock()
		name, value = cookieNonce, i.handed.put(lines)
		i.mu.Unlock()
	}
	w.Header().Set("Cache-Control", "no-store")
	if i.options.Live {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Domain: i.siteOf(back.Hostname()), Path: "/", MaxAge: 60,
			HttpOnly: true, Secure: isSecure(r), SameSite: http.SameSiteLaxMode,
		})
	} else {
		back = withParameter(*back, name, value)
	}
	http.Redirect(w, r, back.String(), http.StatusTemporaryRedirect)
}

func (i *Instance) byNonce(wanted bool, size int) bool {
	switch i.options.Handshake {
	case ByToken:
		return false
	case ByNonce:
		return true
	}
	return wanted && size > maxInURL
}

// MintHandshake makes a handshake token of Set-Cookie lines (claim handshake).
func (i *Instance) MintHandshake(lines []string, t Token) string {
	claims := map[string]any{"handshake": lines, "iat": i.options.Now().Add(-t.Age).Unix()}
	return i.mintAs(map[string]any{"typ": "JWT", "cat": categorySession}, claims, t)
}

// serveHandshakePayload redeems a nonce, once.
func (i *Instance) serveHandshakePayload(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	lines, ok := i.handed.take(r.URL.Query().Get("nonce"))
	i.mu.Unlock()
	if !ok {
		notFound(w, "handshake")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "handshake_payload", "directives": lines})
}
