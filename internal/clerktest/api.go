package clerktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
	for _, table := range []map[string]http.HandlerFunc{i.backendRoutes(), i.frontendRoutes(), i.pageRoutes()} {
		for route, handler := range table {
			calls := new(atomic.Int64)
			i.counts[route] = calls
			mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if !i.fail(route, w, r) {
					handler(w, r)
				}
			})
		}
	}
	return http.MaxBytesHandler(mux, maxForm)
}

// writeError writes an error in Clerk's form.
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
