package extauthz

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// An Envoy that holds headers back from the check forwards them all the same: what
// the policy would have removed reaches the app. So nothing passes, whoever asks, and
// the log says once a minute what to change.
func TestAnEnvoyThatHidesHeadersIsToldSo(t *testing.T) {
	t.Parallel()
	log := &lines{}
	server := newServer(t, integrationPolicy(t), Options{Timeout: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))})
	listener := listenTCP(t)
	serve(t, listener, server, ServeOptions{})
	allowed := func(patterns string) string { return "allowed_headers: { patterns: [" + patterns + "] }" }
	const next = "\n                      " // where the template has its settings
	const raw = next + "encode_raw_headers: true"
	hiding := map[string]string{
		"cookie":          allowed("{ exact: cookie }, { exact: authorization }"),
		"cookie-raw":      allowed("{ exact: cookie }, { exact: authorization }") + raw,
		"accept":          allowed("{ exact: accept }, { prefix: sec-fetch- }, { prefix: x- }"),
		"accept-raw":      allowed("{ exact: accept }, { prefix: sec-fetch- }, { prefix: x- }") + raw,
		"nothing":         allowed("{ exact: x-nobody-sends-this }"),
		"nothing-raw":     allowed("{ exact: x-nobody-sends-this }") + raw,
		"names":           allowed("{ safe_regex: { regex: '[a-z-]+' } }"),
		"names-raw":       allowed("{ safe_regex: { regex: '[a-z-]+' } }") + raw,
		"authority":       allowed("{ exact: ':authority' }, { exact: cookie }"),
		"disallowed-path": "disallowed_headers: { patterns: [{ prefix: ':' }] }" + raw,
	}
	whole := map[string]string{
		"all": "", "all-raw": "encode_raw_headers: true", "every": allowed("{ safe_regex: { regex: '.*' } }"), "some-disallowed": "disallowed_headers: { patterns: [{ exact: x-forwarded-client-cert }] }",
	}
	var edges []edge
	for _, settings := range []map[string]string{hiding, whole} {
		for name, filter := range settings {
			edges = append(edges, edge{Name: name, Authz: "authz", Filter: filter})
		}
	}
	p := startEnvoy(t, edges, []cluster{{Name: "authz", Addresses: []string{listener.Addr().String()}}})
	requests := map[string]int{
		"GET / HTTP/1.1\nX_User_Id: root\nX-Original-URL: /admin\nX-HTTP-Method-Override: DELETE": http.StatusOK,
		"GET / HTTP/1.1\nCookie: theme=dark\nX_User_Id: root":                                     http.StatusOK,
		"GET /x HTTP/1.1\nAuthorization: Bearer member\nX-User-Id: root":                          http.StatusOK,
		"GET /x HTTP/1.1\nAccept: text/html\nSec-Fetch-Dest: document\nSec-Fetch-Mode: navigate":  http.StatusTemporaryRedirect,
		"GET /x HTTP/1.1": http.StatusUnauthorized,
		"GET /x HTTP/1.1\nAuthorization: Bearer handshake": http.StatusTemporaryRedirect,
		"POST /x HTTP/1.1\nContent-Length: 0\nAccept: */*": http.StatusUnauthorized,
	}
	for request, want := range requests {
		for name := range whole {
			if got := p.send(t, name, request).StatusCode; got != want {
				t.Errorf("%s: %q is answered %d, want %d", name, request, got, want)
			}
		}
		for _, r := range p.upstream.take() {
			for _, field := range []string{"X_user_id", "X-Original-Url", "X-Http-Method-Override"} {
				if value := r.Header.Get(field); value != "" {
					t.Errorf("the app receives %s: %s", field, value)
				}
			}
		}
		for name := range hiding {
			if got := p.send(t, name, request).StatusCode; got != http.StatusServiceUnavailable {
				t.Errorf("%s: %q is answered %d", name, request, got)
			}
		}
		if passed := p.upstream.take(); len(passed) > 0 {
			t.Errorf("%q reached the app", request)
		}
	}
	if n := log.count("level=ERROR"); n != 1 || log.count(`msg="`+errHidden.Error()+`"`) != 1 {
		t.Errorf("%d errors are logged, want one that names the setting", n)
	}
}

// A body in a check is too large for it sooner or later. The log says so.
func TestAnEnvoyThatSendsBodiesIsToldSo(t *testing.T) {
	t.Parallel()
	log := &lines{}
	server := newServer(t, fixed(policy.Decision{Outcome: policy.Allow}), Options{Timeout: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))})
	listener := listenTCP(t)
	serve(t, listener, server, ServeOptions{})
	p := startEnvoy(t, []edge{
		{Name: "raw", Authz: "authz", Buffer: 16 << 20, Filter: "with_request_body: { max_request_bytes: 16777216, allow_partial_message: true, pack_as_bytes: true }\n                      failure_mode_allow: true"},
	}, []cluster{{Name: "authz", Addresses: []string{listener.Addr().String()}}})
	for size, want := range map[int]int{100_000: http.StatusOK, 900_000: http.StatusOK, 1_200_000: http.StatusServiceUnavailable, 6_000_000: http.StatusServiceUnavailable} {
		response, err := http.Post("http://"+p.Listener(t, "raw")+"/x", "application/octet-stream", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d bytes are answered %d, want %d", size, response.StatusCode, want)
		}
	}
	if n := log.count("level=ERROR"); n != 1 || log.count("with_request_body") == 0 {
		t.Errorf("%d errors are logged, want one that names the setting", n)
	}
}
