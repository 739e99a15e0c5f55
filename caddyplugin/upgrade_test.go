package caddyplugin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// startUpgradingUpstream is an application that changes to whatever protocol it is
// asked for, and then echoes.
func startUpgradingUpstream(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s settings=%q user=%q", r.Proto, r.URL.Path, r.Header.Get("HTTP2-Settings"), r.Header.Get("X-User-Id"))
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := r.Header.Get("Upgrade")
		if protocol == "" {
			app(w, r)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
		if err := rw.Flush(); err != nil {
			return // the other end is gone
		}
		_, _ = io.Copy(conn, rw)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return l.Addr().String()
}

// After a change of protocol nothing on the connection is judged. Whatever lets a
// request pass, it passes as one request, unless it opens a WebSocket.
func TestNothingPassesButRequestsAndWebSockets(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	s := startSite(t, `	clerk_auth {
		publishable_key `+clerk.PublishableKey()+`
		jwt_key "`+clerk.PublicKeyPEM()+`"
		bypass static_files
		public / /live
		deny /admin(.*)
	}
	reverse_proxy `+startUpgradingUpstream(t)+`
`)
	for name, c := range map[string]struct {
		first  string
		status int
	}{
		"a public page":        {"GET / HTTP/1.1\r\nUpgrade: h2c\r\n", 200},
		"a bypassed file":      {"GET /site.css HTTP/1.1\r\nUpgrade: h2c\r\n", 200},
		"a preflight":          {"OPTIONS /any HTTP/1.1\r\nOrigin: https://e.example\r\nAccess-Control-Request-Method: POST\r\nUpgrade: h2c\r\n", 200},
		"two of them":          {"GET / HTTP/1.1\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", 200},
		"two, websocket first": {"GET / HTTP/1.1\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", 200},
		"two in one":           {"GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\n", 200},
		"in capitals":          {"GET / HTTP/1.1\r\nUPGRADE: H2C\r\n", 200},
		"TLS":                  {"GET / HTTP/1.1\r\nUpgrade: TLS/1.0\r\n", 200},
		"websocket by POST":    {"POST / HTTP/1.1\r\nContent-Length: 0\r\nUpgrade: websocket\r\n", 200},
		"a WebSocket":          {"GET /live HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", 101},
		"a closed WebSocket":   {"GET /admin HTTP/1.1\r\nUpgrade: websocket\r\n", 403},
		"CONNECT":              {"CONNECT /live HTTP/1.1\r\n", 400},
	} {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%sHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", c.first, s.address)
		response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if response.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, c.status)
		}
		if response.StatusCode == http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || strings.Contains(string(body), "AAMA") {
			t.Errorf("%s: %s, %v", name, body, err)
		}
	}
}
