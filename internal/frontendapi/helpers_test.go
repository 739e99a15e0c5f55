package frontendapi

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// secret is the canary: it may go to the upstream and nowhere else.
const secret = "sk_live_canary0123456789"

// keyOf is a production key of an instance.
func keyOf(host string) string {
	return "pk_live_" + base64.RawStdEncoding.EncodeToString([]byte(host+"$"))
}

// overHTTPS is a request as if it had come over https.
func overHTTPS(r *http.Request) *policy.Request {
	request := httpgate.Request(r)
	request.Scheme = "https"
	return request
}

// world is a proxy and the upstream behind it.
type world struct {
	*Handler
	upstream *httptest.Server
	log      bytes.Buffer

	mu   sync.Mutex
	seen []*http.Request
}

// newWorld starts an upstream that answers as told, and a proxy to it.
func newWorld(tb testing.TB, answer http.HandlerFunc, change func(*Options)) *world {
	tb.Helper()
	w := &world{}
	w.upstream = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, r)
		w.mu.Unlock()
		if answer != nil {
			answer(rw, r)
		}
	}))
	tb.Cleanup(w.upstream.Close)
	o := Options{
		Clerk:    session.Config{PublishableKey: keyOf("clerk.example.com"), SecretKey: secret, ProxyURL: "https://app.example.com/__clerk"},
		Upstream: w.upstream.URL, Request: overHTTPS, Logger: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	var err error
	if w.Handler, err = New(o); err != nil {
		tb.Fatal(err)
	}
	return w
}

// last is the request that came through last, or nil.
func (w *world) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 {
		return nil
	}
	return w.seen[len(w.seen)-1]
}

// send makes a request with a target as it stands.
func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

func get(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	if u, err := url.ParseRequestURI(target); err == nil { // as the server reads it
		r.URL = u
	}
	r.RemoteAddr = "198.51.100.7:1234"
	return r
}
