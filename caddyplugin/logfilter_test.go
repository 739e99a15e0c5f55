package caddyplugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/quic-go/quic-go/http3"
	"go.uber.org/zap/zapcore"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// A redirect to Clerk carries the session's token. The client receives it; the
// access log does not, whatever the protocol and whatever comes before.
func TestNoRedirectPutsATokenIntoTheAccessLog(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{Live: true})
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	token := clerk.Mint(session, clerktest.Token{})
	for name, before := range map[string]string{"alone": "", "behind encode": "encode", "behind a deferred header": "header -Server", "behind intercept": "intercept {\n handle_response {\n  respond x\n }\n}"} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "access.log")
			address := strings.Replace(testprocess.Address(t), "127.0.0.1", "127.0.0.2", 1) // whose UDP side is free
			load(t, "{\n admin off\n persist_config off\n auto_https off\n grace_period 1s\n default_sni 127.0.0.1\n log {\n  level PANIC\n }\n}\nhttps://"+address+" {\n bind 127.0.0.2\n tls "+certificate(t)+"\n log {\n  output file "+log+"\n }\n route {\n"+before+"\n"+"clerk_sessions\nclerk_auth {\n"+instanceLines(clerk)+"}\n respond ok\n}\n}\n")
			tlsConfig := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // a certificate of the test's own
			h3 := &http3.Transport{TLSClientConfig: tlsConfig.Clone()}
			defer h3.Close()
			for protocol, transport := range map[string]http.RoundTripper{
				"HTTP/1.1": &http.Transport{TLSClientConfig: tlsConfig.Clone(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
				"HTTP/2.0": &http.Transport{TLSClientConfig: tlsConfig.Clone(), ForceAttemptHTTP2: true},
				"HTTP/3.0": h3,
			} {
				for _, path := range []string{"/dashboard", "/__clerkgate/sessions"} {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Accept", "text/html")
					r.Header.Set("Sec-Fetch-Dest", "document")
					r.Header.Set("Cookie", "__session="+token)
					response, err := transport.RoundTrip(r)
					if err != nil {
						t.Fatalf("%s: %v", protocol, err)
					}
					response.Body.Close()
					if response.Proto != protocol || response.StatusCode != 307 || !strings.Contains(response.Header.Get("Location"), token) {
						t.Errorf("%s %d %s: want a redirect with the token", response.Proto, response.StatusCode, response.Header.Get("Location"))
					}
				}
			}
			text := readLog(t, log, 6)
			if strings.Contains(text, token) || !strings.Contains(text, "handshake?") {
				t.Errorf("the log:\n%s", text)
			}
		})
	}
}

// load runs a Caddyfile until the test ends.
func load(t *testing.T, caddyfile string) {
	t.Helper()
	if err := caddy.Load([]byte(adapted(t, caddyfile)), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// certificate writes a certificate for 127.0.0.1 and its key, and returns the
// names of the files.
func certificate(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	names := []string{filepath.Join(directory, "cert.pem"), filepath.Join(directory, "key.pem")}
	for i, block := range []pem.Block{{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(names[i], pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(names, " ")
}

// readLog waits until a log has that many lines.
func readLog(t *testing.T, name string, lines int) string {
	t.Helper()
	for range 200 {
		data, err := os.ReadFile(name)
		if err == nil && strings.Count(string(data), "\n") >= lines {
			return string(data)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not have %d lines", name, lines)
	return ""
}

func TestTheLogFilterHidesWhatSignsIn(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"/":                        "/",
		"/a?b=c":                   "/a?b=c",
		"/a?__clerk_handshake=x&b": "/a?__clerk_handshake=REDACTED&b",
		"/a?__clerk%5Fdb_jwt=x":    "/a?__clerk%5Fdb_jwt=REDACTED",
		"/a?__clerk_ticket=x#y":    "/a?__clerk_ticket=REDACTED",
		"/a?b=c&__session_abc=x":   "/a?b=c&__session_abc=REDACTED",
		"/a?rotating_token_nonce=x&redirect_url=https%3A%2F%2Fa%2F%3F__clerk_ticket%3Dy": "/a?rotating_token_nonce=REDACTED&redirect_url=REDACTED",
		"https://app/?%zz=x":             "https://app/?%zz=REDACTED",
		"https://app/?x=__clerk_session": "https://app/?x=__clerk_session",
	} {
		if got := (LogFilter{}).Filter(zapcore.Field{Type: zapcore.StringType, String: from}).String; got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}

// The filter, as the example writes it, in a real log.
func TestTheLogFilterInACaddyfile(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	s := startSite(t, "log {\n output file "+log+"\n format filter {\n  request>uri clerk\n  request>headers>Referer clerk\n }\n}\nrespond ok\n")
	s.get("/a?__clerk_ticket=SECRET&b=kept", "Referer: http://x/?__clerk_handshake=SECRET\r\n")
	if text := readLog(t, log, 1); strings.Contains(text, "SECRET") || !strings.Contains(text, "b=kept") {
		t.Errorf("the log:\n%s", text)
	}
}
