package httpgate

import (
	"net/http"
	"testing"
)

// discard is a response that nobody reads.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkWrap compares the gate with none. The policy is real, the principal is
// given: tokens are measured where they are verified.
func BenchmarkWrap(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		name, target string
		handler      http.Handler
	}{
		{"bare", "/admin", next},
		{"public", "/public", newGate(b, newPolicy(b, nobody), Options{}).Wrap(next)},
		{"role", "/admin", newGate(b, newPolicy(b, as("org:admin")), Options{}).Wrap(next)},
		{"denied", "/admin", newGate(b, newPolicy(b, as("org:member")), Options{}).Wrap(next)},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := received(b, "GET "+c.target+"?page=2 HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: application/json\r\n"+
				"Accept-Language: en\r\nCookie: __session=a.b.c; theme=dark\r\nX-Request-Id: 1\r\n\r\n")
			b.ReportAllocs()
			for b.Loop() {
				c.handler.ServeHTTP(discard{}, r)
			}
		})
	}
}
