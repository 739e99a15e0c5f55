package conformance

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// A surface is a real proxy with one or more gates, reached with raw bytes.
type surface interface {
	// address is where the gate of that number listens.
	address(gate int) string
	name() string
}

// surfaces start the proxies that cases run through. The hardened ones have the
// settings that the examples recommend, the others the proxy's own defaults.
var surfaces = map[string]func(t *testing.T, configs []setup.Config, upstream string) surface{
	"caddy": startCaddy,
	"envoy": func(t *testing.T, configs []setup.Config, upstream string) surface {
		return startEnvoy(t, "Envoy", "", configs, upstream)
	},
	"envoy-hardened": func(t *testing.T, configs []setup.Config, upstream string) surface {
		return startEnvoy(t, "Envoy as in the example", envoyHardened, configs, upstream)
	},
	"envoy-http":    forwardAuth("envoy"),
	"caddy-forward": forwardAuth("caddy"),
	"nginx":         forwardAuth("nginx"),
	"haproxy":       forwardAuth("haproxy"),
	"traefik":       forwardAuth("traefik"),
}

// bytesOn are the surfaces in the words of the cases: those of raw bytes to a listener
// are for every proxy.
func bytesOn(surface string) string {
	switch surface {
	case "envoy", "envoy-hardened", "envoy-http":
		return "envoy"
	}
	return "caddy"
}

// Addresses that stand in for those of the cases, which no loopback connection
// can come from.
var localPeers = map[string]string{
	"198.51.100.7": "127.0.0.1",
	"10.0.0.2":     "127.0.0.2",
}

// echo is what the upstream says it received.
type echo struct {
	Method   string
	Target   string
	Headers  []policy.Header
	Trailers []policy.Header
}

// clientMark is the field in which a proxy tells the upstream whom it takes for
// the client.
const clientMark = "X-Clerkgate-Client"

// echoMark marks answers of the upstream. Its value is the echo, in base64, where
// the answer has no body for it.
const echoMark = "X-Upstream-Echo"

// startUpstream starts an upstream that answers with what it received.
func startUpstream(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // so that trailers arrive
		e := echo{Method: r.Method, Target: r.RequestURI, Headers: flatten(r.Header), Trailers: flatten(r.Trailer)}
		text, _ := json.Marshal(e) // nothing in it cannot be marshaled
		w.Header().Set(echoMark, "1")
		if r.Method == http.MethodHead {
			w.Header().Set(echoMark, base64.StdEncoding.EncodeToString(text))
		}
		_, _ = w.Write(text) // to HEAD it goes nowhere
	}))
	server.Config.MaxHeaderBytes = 4 << 20
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func flatten(h http.Header) []policy.Header {
	var list []policy.Header
	for name, values := range h {
		for _, value := range values {
			list = append(list, policy.Header{Name: name, Value: value})
		}
	}
	return list
}

// exchangeTimeout bounds one raw exchange.
const exchangeTimeout = 20 * time.Second

// exchange sends a request as raw bytes and reads what came of it. A connection
// that is closed without an answer counts as refused.
func exchange(t *testing.T, address, peer string, raw []byte) *observed {
	t.Helper()
	dialer := net.Dialer{Timeout: exchangeTimeout}
	if local := localPeers[peer]; local != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(exchangeTimeout))
	if _, err := conn.Write(raw); err != nil {
		return &observed{status: http.StatusBadRequest}
	}
	method, _, _ := strings.Cut(string(raw), " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return &observed{status: http.StatusBadRequest}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	o := &observed{status: response.StatusCode, rule: response.Header.Get(ruleMark), response: response.Header}
	mark := response.Header.Get(echoMark)
	if mark == "" {
		return o
	}
	if method == http.MethodHead {
		body, _ = base64.StdEncoding.DecodeString(mark) // an error shows below
	}
	var e echo
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("the upstream's echo: %v\n%s", err, body)
	}
	o.forwarded, o.target, o.headers = true, e.Target, append(e.Headers, e.Trailers...)
	o.client = headerOf(e.Headers, clientMark)
	return o
}

// rawRequest writes a request line and fields as they are, whatever they hold.
func rawRequest(t *testing.T, in *attackRequest, extra ...policy.Header) []byte {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", in.Method, textOr64(t, in.Target, in.TargetB64), in.Host)
	for _, h := range in.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	for _, h := range extra {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if len(in.Trailers) == 0 {
		if in.Body != "" || in.Method == http.MethodPost || in.Method == http.MethodPut {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(in.Body))
		}
		b.WriteString("Connection: close\r\n\r\n" + in.Body)
		return []byte(b.String())
	}
	fmt.Fprintf(&b, "\r\n%x\r\n%s\r\n0\r\n", len(in.Body), in.Body)
	for _, h := range in.Trailers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}
