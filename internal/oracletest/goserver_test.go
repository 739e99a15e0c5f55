package oracletest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// startGo runs the application on Go's own server and router.
func startGo(t *testing.T, dir string) *upstream {
	t.Helper()
	file := filepath.Join(dir, "go.log")
	log, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]string{
		"/": "none", "/{$}": "home", "/open/": "open", "/assets/": "asset", "/api/login": "login",
		"GET /api/posts": "posts-read", "POST /api/posts": "posts-write", "DELETE /api/posts": "posts-write",
		"GET /api/posts/{id}": "posts-read", "POST /api/posts/{id}": "posts-write", "DELETE /api/posts/{id}": "posts-write",
		"/admin": "admin", "/admin/": "admin", "/files/": "files", "/files/secret/": "secret", "/dashboard": "dashboard",
		"/orgs/{slug}": "orgs", "/orgs/{slug}/{rest...}": "orgs",
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			told := record{Handler: handler, Method: r.Method, Path: r.URL.Path, Host: r.Host, Slug: r.PathValue("slug"), Protocol: r.Proto}
			for name, values := range r.Header {
				for _, value := range values {
					told.Headers = append(told.Headers, [2]string{name, value})
				}
			}
			line, err := json.Marshal(told)
			if err != nil {
				t.Error(err)
			}
			if _, err := log.Write(append(line, '\n')); err != nil {
				t.Error(err)
			}
			if handler == "none" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = w.Write(line) // the client may be gone
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		log.Close()
	})
	return &upstream{name: "go", address: server.Listener.Addr().String(), log: file}
}
