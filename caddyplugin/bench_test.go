package caddyplugin

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// discard is a response that nobody reads.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkServeHTTP compares the handler with none. The policy is real, the
// principal is given: tokens are measured where they are verified.
func BenchmarkServeHTTP(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for _, c := range []struct {
		name, target string
		who          signedIn
		bare         bool
	}{
		{name: "bare", target: "/admin", bare: true},
		{name: "public", target: "/public", who: nobody},
		{name: "role", target: "/admin", who: as("org:admin")},
		{name: "denied", target: "/admin", who: as("org:member")},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHandler(b, testRules, c.who)
			original := received(b, "GET "+c.target+"?page=2 HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: application/json\r\n"+
				"Accept-Language: en\r\nCookie: __session=a.b.c; theme=dark\r\nX-Request-Id: 1\r\n\r\n")
			b.ReportAllocs()
			for b.Loop() {
				r := prepared(original, nil) // as the server does for every request
				r.Header = original.Header.Clone()
				w := discard{}
				if c.bare {
					_ = next.ServeHTTP(w, r)
				} else {
					_ = h.ServeHTTP(w, r, next)
				}
			}
		})
	}
}
