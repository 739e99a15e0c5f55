package caddyplugin

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// nullWriter takes an answer and forgets it.
type nullWriter struct{ header http.Header }

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *nullWriter) WriteHeader(int)             {}

// BenchmarkServeHTTP measures the handler against the bare next handler.
// Compare within one run.
func BenchmarkServeHTTP(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for _, c := range []struct {
		name, target string
		who          policy.Authenticator
	}{
		{"bare", "/admin", nil},
		{"public", "/public/x", nobody},
		{"role", "/admin", as("org:admin")},
		{"denied", "/admin", as("org:member")},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := prepared(get(b, c.target), &caddyhttp.Server{})
			r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
			r.Header.Set("Accept", "application/json")
			w := &nullWriter{http.Header{}}
			serve := next.ServeHTTP
			if c.who != nil {
				h := newHandler(b, testRules, c.who)
				serve = func(w http.ResponseWriter, r *http.Request) error { return h.ServeHTTP(w, r, next) }
			}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				if err := serve(w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
