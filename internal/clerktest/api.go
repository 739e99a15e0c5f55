package clerktest

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// counts are how often each endpoint was asked.
type counts struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *counts) add(endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[endpoint]++
}

// Calls returns how often an endpoint was asked, by its route: "GET /v1/jwks".
func (i *Instance) Calls(endpoint string) int {
	i.counts.mu.Lock()
	defer i.counts.mu.Unlock()
	return i.counts.calls[endpoint]
}

// routes are the APIs and the pages.
func (i *Instance) routes() http.Handler {
	mux := http.NewServeMux()
	for route, handler := range map[string]http.HandlerFunc{
		"GET /v1/jwks":               i.backend(i.serveJWKS),
		"GET /v1/sessions/{id}":      i.backend(i.serveSession),
		"GET /.well-known/jwks.json": i.serveJWKS,
		"GET /sign-in":               i.serveSignIn,
		"POST /sign-in":              i.doSignIn,
		"POST /sign-out":             i.doSignOut,
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			i.counts.add(route)
			handler(w, r)
		})
	}
	return mux
}

// backend lets in who has the secret key.
func (i *Instance) backend(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(key), []byte(i.secretKey)) != 1 {
			writeError(w, http.StatusUnauthorized, "clerk_key_invalid", "The provided Clerk Secret Key is invalid.")
			return
		}
		next(w, r)
	}
}

func (i *Instance) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, i.JWKS())
}

// serveSession is the Backend API's session object. Times are in milliseconds.
func (i *Instance) serveSession(w http.ResponseWriter, r *http.Request) {
	s, status := i.session(r.PathValue("id"))
	if s == nil {
		writeError(w, http.StatusNotFound, "resource_not_found", "No session was found.")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "session", "id": s.ID, "client_id": "client_1", "user_id": s.User.ID, "status": status,
		"last_active_at": i.options.Now().UnixMilli(), "created_at": s.CreatedAt.UnixMilli(), "updated_at": s.CreatedAt.UnixMilli(),
		"expire_at": s.CreatedAt.AddDate(0, 0, 7).UnixMilli(), "abandon_at": s.CreatedAt.AddDate(0, 1, 0).UnixMilli(),
	})
}

// writeError writes an error in the Backend API's form.
func writeError(w http.ResponseWriter, status int, code, message string) {
	problem := map[string]string{"code": code, "message": message, "long_message": message}
	writeJSON(w, status, map[string]any{"errors": []any{problem}, "clerk_trace_id": "trace"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}
