package clerktest

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// counts are how often each endpoint was asked. The map is not changed once the
// routes are made.
type counts map[string]*atomic.Int64

// Calls returns how often an endpoint was asked, refusals included, by its
// route: "GET /v1/jwks". It panics where there is no such route, so that no test
// counts calls that cannot happen.
func (i *Instance) Calls(endpoint string) int {
	n, ok := i.counts[endpoint]
	if !ok {
		panic(fmt.Sprintf("clerktest: no endpoint %q; there are %q", endpoint, slices.Sorted(maps.Keys(i.counts))))
	}
	return int(n.Load())
}

// routes are the Backend API, the Frontend API and the pages.
func (i *Instance) routes() http.Handler {
	mux := http.NewServeMux()
	i.counts = counts{}
	for route, handler := range map[string]http.HandlerFunc{
		"GET /v1/jwks":          i.backend(i.serveJWKS),
		"GET /v1/sessions/{id}": i.backend(i.serveSession),

		"GET /.well-known/jwks.json": i.serveJWKS,

		"GET /sign-in":   i.serveSignIn,
		"POST /sign-in":  i.fromApps(i.doSignIn),
		"POST /sign-out": i.fromApps(i.doSignOut),
	} {
		calls := new(atomic.Int64)
		i.counts[route] = calls
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			handler(w, r)
		})
	}
	return http.MaxBytesHandler(mux, maxForm)
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

// serveSession is the Backend API's session object. Times are in milliseconds.
func (i *Instance) serveSession(w http.ResponseWriter, r *http.Request) {
	s, status := i.session(r.PathValue("id"))
	if s == nil {
		writeError(w, http.StatusNotFound, "resource_not_found", "There is no such session.")
		return
	}
	began := s.CreatedAt.UnixMilli()
	object := map[string]any{
		"object": "session", "id": s.ID, "client_id": "client_1", "user_id": s.User.ID, "status": status,
		"last_active_at": began, "created_at": began, "updated_at": began,
		"expire_at": s.CreatedAt.AddDate(0, 0, 7).UnixMilli(), "abandon_at": s.CreatedAt.AddDate(0, 1, 0).UnixMilli(),
	}
	if m := s.membership(); m != nil {
		object["last_active_organization_id"] = m.Organization.ID
	}
	writeJSON(w, http.StatusOK, object)
}

// writeError writes an error in the Backend API's form.
func writeError(w http.ResponseWriter, status int, code, message string) {
	problem := map[string]string{"code": code, "message": message, "long_message": message}
	writeJSON(w, status, map[string]any{"errors": []any{problem}, "clerk_trace_id": "trace"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}
