package clerktest

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
)

// backendRoutes are the Backend API's. The endpoints that verify machine tokens
// have no version in their path; some libraries give them one.
func (i *Instance) backendRoutes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"GET /.well-known/jwks.json": i.serveJWKS,
	}
	for route, handler := range map[string]http.HandlerFunc{
		"GET /v1/jwks": i.serveJWKS,

		"GET /v1/sessions":                         i.listSessions,
		"POST /v1/sessions":                        i.createSession,
		"GET /v1/sessions/{id}":                    i.serveSession,
		"POST /v1/sessions/{id}/revoke":            i.revokeSession,
		"POST /v1/sessions/{id}/refresh":           i.refreshSession,
		"POST /v1/sessions/{id}/tokens":            i.mintToken,
		"POST /v1/sessions/{id}/tokens/{template}": i.mintToken,

		"GET /v1/clients/{id}":              i.serveClientObject,
		"GET /v1/clients/handshake_payload": i.serveHandshakePayload,

		"GET /v1/users":                               i.listUsers,
		"GET /v1/users/{id}":                          i.serveUser,
		"DELETE /v1/users/{id}":                       i.changeUser(i.DeleteUser),
		"POST /v1/users/{id}/ban":                     i.changeUser(i.Ban),
		"POST /v1/users/{id}/unban":                   i.changeUser(i.Unban),
		"GET /v1/users/{id}/organization_memberships": i.listMemberships,

		"POST /api_keys/verify":                            i.verifyMachine(apiKey, "secret"),
		"POST /m2m_tokens/verify":                          i.verifyMachine(m2mToken, "token"),
		"POST /oauth_applications/access_tokens/verify":    i.verifyMachine(oauthToken, "access_token"),
		"POST /v1/api_keys/verify":                         i.verifyMachine(apiKey, "secret"),
		"POST /v1/m2m_tokens/verify":                       i.verifyMachine(m2mToken, "token"),
		"POST /v1/oauth_applications/access_tokens/verify": i.verifyMachine(oauthToken, "access_token"),
	} {
		routes[route] = i.backend(handler)
	}
	return routes
}

// backend lets in who has the secret key.
func (i *Instance) backend(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(key), []byte(i.secretKey)) != 1 {
			writeError(w, http.StatusUnauthorized, "clerk_key_invalid", "This is not the secret key of this instance.")
			return
		}
		next(w, r)
	}
}

func (i *Instance) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, i.JWKS())
}

func notFound(w http.ResponseWriter, what string) {
	writeError(w, http.StatusNotFound, "resource_not_found", "There is no such "+what+".")
}

func (i *Instance) serveSession(w http.ResponseWriter, r *http.Request) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if s := i.record(r.PathValue("id")); s != nil {
		writeJSON(w, http.StatusOK, i.sessionObject(s))
		return
	}
	notFound(w, "session")
}

// createSession signs somebody in without a browser: development only.
func (i *Instance) createSession(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		UserID string `json:"user_id"`
	}
	if i.options.Live {
		writeError(w, http.StatusUnprocessableEntity, "request_invalid_for_environment", "Sessions are made by signing in.")
		return
	}
	if !readJSON(w, r, &asked) {
		return
	}
	s, err := i.SignIn(asked.UserID)
	if err != nil {
		notFound(w, "user")
		return
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	writeJSON(w, http.StatusOK, i.sessionObject(i.record(s.ID)))
}

// maxPage is the largest page of a list, defaultPage the usual one.
const (
	maxPage     = 500
	defaultPage = 10
)

// listSessions lists those of a user or a browser, newest first.
func (i *Instance) listSessions(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("user_id") == "" && q.Get("client_id") == "" {
		writeError(w, http.StatusUnprocessableEntity, "form_param_missing", "Ask for a user's sessions or a client's.")
		return
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	list := []map[string]any{}
	for n := len(i.sessions) - 1; n >= 0; n-- {
		s := i.sessions[n]
		if matches(q.Get("user_id"), s.user) && matches(q.Get("client_id"), s.client.id) && matches(q.Get("status"), s.status) {
			list = append(list, i.sessionObject(s))
		}
	}
	writeList(w, r, list)
}

// matches says whether a filter, if there is one, lets a value pass.
func matches(filter, value string) bool { return filter == "" || filter == value }

// writeList writes a page of a list, in the form that was asked for.
func writeList(w http.ResponseWriter, r *http.Request, list []map[string]any) {
	q := r.URL.Query()
	total := len(list)
	offset := min(number(q.Get("offset"), 0), total)
	list = list[offset:min(offset+min(number(q.Get("limit"), defaultPage), maxPage), total)]
	if q.Get("paginated") == "true" {
		writeJSON(w, http.StatusOK, map[string]any{"data": list, "total_count": total})
		return
	}
	writeJSON(w, http.StatusOK, list)
}

// number reads a number that is not negative.
func number(text string, otherwise int) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return otherwise
	}
	return int(n)
}

func (i *Instance) revokeSession(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if i.Session(id) == nil {
		notFound(w, "session")
		return
	}
	i.RevokeSession(id)
	i.serveSession(w, r)
}

// mintToken makes a session token, or one by a template.
func (i *Instance) mintToken(w http.ResponseWriter, r *http.Request) {
	s := i.Session(r.PathValue("id"))
	if s == nil || s.Status != active && s.Status != pending {
		notFound(w, "session")
		return
	}
	i.writeToken(w, r, s)
}

func (i *Instance) writeToken(w http.ResponseWriter, r *http.Request, s *Session) {
	name := r.PathValue("template")
	if name == "" {
		writeJSON(w, http.StatusOK, map[string]any{"object": "token", "jwt": i.Mint(s, tokenFor(r.Header.Get("Origin")))})
		return
	}
	template, ok := i.options.Templates[name]
	if !ok {
		notFound(w, "template")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "token", "jwt": i.fill(template, s)})
}

func (i *Instance) serveClientObject(w http.ResponseWriter, r *http.Request) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	c := i.clientBy(func(c *client) bool { return c.id == r.PathValue("id") })
	if c == nil {
		notFound(w, "client")
		return
	}
	writeJSON(w, http.StatusOK, i.clientObject(c))
}
