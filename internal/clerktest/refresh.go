package clerktest

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// refreshSession renews a session token without the browser: whoever holds the
// expired one and the session's refresh token gets the cookies of a new one.
func (i *Instance) refreshSession(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ExpiredToken  string `json:"expired_token"`
		RefreshToken  string `json:"refresh_token"`
		RequestOrigin string `json:"request_origin"`
	}
	if !readJSON(w, r, &asked) {
		return
	}
	id := r.PathValue("id")
	if i.sessionOf(asked.ExpiredToken) != id {
		writeError(w, http.StatusUnprocessableEntity, "invalid_expired_token", "This is no token of this session.")
		return
	}
	if !i.mayRefresh(id, asked.RefreshToken) {
		writeError(w, http.StatusUnauthorized, "invalid_refresh_token", "This is not the session's refresh token.")
		return
	}
	app, ok := i.app(asked.RequestOrigin)
	if !ok {
		writeError(w, http.StatusUnprocessableEntity, "invalid_request_origin", "This is no app of this instance.")
		return
	}
	cookies := i.cookiesFor(app, r.URL.Query().Get("suffixed_cookies") == "true")
	token := i.Mint(i.Session(id), tokenFor(asked.RequestOrigin))
	writeJSON(w, http.StatusOK, map[string]any{"object": "cookies", "cookies": cookies.session(token)})
}

func (i *Instance) mayRefresh(id, token string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	s := i.record(id)
	return s != nil && s.alive() && !i.options.NoRefresh && subtle.ConstantTimeCompare([]byte(token), []byte(s.refresh)) == 1
}

// SessionOf returns the session that a token of the instance names, however old
// the token, or nil.
func (i *Instance) SessionOf(token string) *Session { return i.Session(i.sessionOf(token)) }

// sessionOf is the id in SessionOf, or "".
func (i *Instance) sessionOf(token string) string {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return ""
	}
	for _, key := range i.JWKS().Keys {
		payload, err := signed.Verify(key)
		if err != nil {
			continue
		}
		var claims struct {
			Session string `json:"sid"`
		}
		if json.Unmarshal(payload, &claims) == nil {
			return claims.Session
		}
	}
	return ""
}
