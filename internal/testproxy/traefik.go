package testproxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
)

// traefik stands in for Traefik, which cannot be built from Go modules alone: it asks, and
// takes answers, as the source of Traefik 3.7 does (its packages forwardedheaders and
// middlewares/auth), by the middleware of the file that users paste. How Traefik routes
// requests, and what it does to paths before that, is left out.
type traefik struct {
	auth forwardAuth
	// removed are the fields that the other middleware removes.
	removed []string
	client  http.Client
	app     http.Handler
}

// forwardAuth is the middleware as the file has it. Without trustForwardHeader Traefik is
// another one than this.
type forwardAuth struct {
	Address                string   `yaml:"address"`
	TrustForwardHeader     *bool    `yaml:"trustForwardHeader"`
	PreserveLocationHeader bool     `yaml:"preserveLocationHeader"`
	MaxResponseBodySize    int64    `yaml:"maxResponseBodySize"`
	AuthResponseHeaders    []string `yaml:"authResponseHeaders"`
}

// managed are the fields that Traefik sets itself, and takes from no client.
var managed = []string{
	"X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Uri",
	"X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Scheme", "X-Real-Ip",
}

// hops are the fields of one connection, which a check is without.
var hops = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authenticate", "Proxy-Authorization"}

// startTraefik starts the stand-in by a file.
func startTraefik(tb testing.TB, places proxies.Places, config []byte) string {
	tb.Helper()
	var file struct {
		HTTP struct {
			Middlewares map[string]struct {
				ForwardAuth forwardAuth `yaml:"forwardAuth"`
				Headers     struct {
					CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
				} `yaml:"headers"`
			} `yaml:"middlewares"`
			Routers, Services any
		} `yaml:"http"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(config))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		tb.Fatal(err)
	}
	t := &traefik{auth: file.HTTP.Middlewares["clerkgate"].ForwardAuth}
	if trust := t.auth.TrustForwardHeader; t.auth.Address == "" || trust == nil || *trust || !t.auth.PreserveLocationHeader {
		tb.Fatalf("the file has another middleware than the stand-in: %+v", t.auth)
	}
	for name, value := range file.HTTP.Middlewares["one-protocol"].Headers.CustomRequestHeaders {
		if value != "" {
			tb.Fatalf("the file sets %s, which the stand-in does not", name)
		}
		t.removed = append(t.removed, name)
	}
	t.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.app = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: places.App})
		p.Out.Host = p.In.Host
		p.Out.URL.RawQuery = p.In.URL.RawQuery
		for _, name := range managed {
			if values := p.In.Header[name]; len(values) > 0 {
				p.Out.Header[name] = values
			}
		}
		p.SetXForwarded()
	}}
	server := httptest.NewUnstartedServer(t)
	if places.Listen != "" {
		listener, err := net.Listen("tcp", places.Listen)
		if err != nil {
			tb.Fatal(err)
		}
		server.Listener.Close()
		server.Listener = listener
	}
	server.Config.MaxHeaderBytes = 4 << 20
	server.Start()
	tb.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// ServeHTTP asks about a request.
func (t *traefik) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	enter(r)
	for _, name := range t.removed {
		r.Header.Del(name)
	}
	answer, body, err := t.ask(r)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices {
		for name, values := range answer.Header {
			if !slices.Contains(hops, name) {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(body) // the client may be gone
		return
	}
	for _, name := range t.auth.AuthResponseHeaders {
		name = http.CanonicalHeaderKey(name)
		r.Header.Del(name)
		if values := answer.Header[name]; len(values) > 0 {
			r.Header[name] = values
		}
	}
	t.app.ServeHTTP(w, r)
}

// enter is what Traefik does to each request of a client that it does not trust.
func enter(r *http.Request) {
	for name := range r.Header {
		if slices.Contains(managed, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(r.Header, name)
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	r.Header.Set("X-Real-Ip", host)
	r.Header.Set("X-Forwarded-Proto", "http")
	r.Header.Set("X-Forwarded-Port", "80")
	r.Header.Set("X-Forwarded-Host", r.Host)
	r.Header.Set("X-Forwarded-Server", "edge")
	upgrade := r.Header.Get("Upgrade")
	for _, field := range r.Header["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); !slices.Contains(managed, name) {
				r.Header.Del(name)
			}
		}
	}
	r.Header.Del("Connection")
	if upgrade != "" {
		r.Header.Set("Upgrade", upgrade)
		r.Header.Set("Connection", "Upgrade")
	}
}

// ask sends the check of a request.
func (t *traefik) ask(r *http.Request) (*http.Response, []byte, error) {
	check, err := http.NewRequestWithContext(r.Context(), http.MethodGet, t.auth.Address, nil)
	if err != nil {
		return nil, nil, err
	}
	check.Header = r.Header.Clone()
	for name := range check.Header {
		if slices.Contains(hops, name) || slices.Contains(managed, http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(check.Header, name)
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	check.Header.Set("X-Forwarded-For", host)
	check.Header.Set("X-Forwarded-Method", r.Method)
	check.Header.Set("X-Forwarded-Proto", "http")
	check.Header.Set("X-Forwarded-Port", "80")
	check.Header.Set("X-Forwarded-Host", r.Host)
	check.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
	answer, err := t.client.Do(check)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, t.auth.MaxResponseBodySize))
	return answer, body, err
}
