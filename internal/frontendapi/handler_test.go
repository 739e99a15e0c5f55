package frontendapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

func TestTheUpstreamFollowsFromTheKey(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"clerk.ex.com":                   production,
		"happy-cat-1.clerk.accounts.dev": production,
		"clerk.foo.lcl.dev":              production,
		"clerk.foo.lclstage.dev":         production,
		"clerk.foo.lclclerk.com":         production,
		"foo.accounts.lclclerk.com":      local,
		"foo.accounts.lcl.dev":           local,
		"foo.lclstage.dev":               local,
		"foo.clerk.accountsstage.dev":    staging,
	} {
		if got := DefaultUpstream(keyOf(host)); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	if got := DefaultUpstream("no key"); got != production {
		t.Errorf("a key that cannot be read: %s", got)
	}
}

func TestOnlyAPathOfASiteIsServed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"/__clerk": true, "https://app.example.com/__clerk/": true, "https://clerk-proxy.example.com": false, "https://clerk-proxy.example.com/": false, "": false,
	} {
		if got := IsPath(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// The local Clerk answers through the proxy as it does without.
func TestTheFrontendAPIOfAnInstanceAnswersThroughTheProxy(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Host: "clerk.example.com", Live: true})
	config := newConfig()
	config.PublishableKey, config.SecretKey = clerk.PublishableKey(), clerk.SecretKey()
	h, err := New(Options{Clerk: config, Upstream: clerk.URL(), Request: overHTTPS})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"/__clerk/.well-known/jwks.json": clerk.KeyID(), "/__clerk/v1/client": `"response"`} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, get(target))
		if answer.Code != 200 || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", target, answer.Code, answer.Body)
		}
	}
}

func TestARequestGoesOutAsClerkWantsIt(t *testing.T) {
	t.Parallel()
	var body string
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
		rw.Header().Add("Set-Cookie", "__client=1; Path=/; HttpOnly")
		rw.Header().Add("Set-Cookie", "__client_uat=2; Domain=example.com")
		rw.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(rw, "answer")
	}, nil)
	r := get("/__clerk/v1/client/sessions/sess_1/touch?_method=PATCH&a=%2F")
	r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader("intent=focus")), -1
	for name, value := range map[string]string{
		"Cookie": "__client=x; theme=dark", "Authorization": "Bearer token", "Origin": "https://app.example.com", "Content-Type": "application/x-www-form-urlencoded",
		"Accept-Encoding": "br", "Clerk-Secret-Key": "sk_live_forged", "Clerk-Proxy-Url": "https://evil.example", "X-Forwarded-For": "6.6.6.6",
		"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Cf-Connecting-Ip": "6.6.6.6", "X-Real-Ip": "6.6.6.6", "Forwarded": "for=6.6.6.6",
		"Connection": "Upgrade, X-Hop, Clerk-Secret-Key", "Upgrade": "websocket", "X-Hop": "1", "Te": "trailers", "Keep-Alive": "1", "Proxy-Authorization": "Basic x",
	} {
		r.Header.Set(name, value)
	}
	r.Header["Clerk_Secret_Key"] = []string{"sk_live_forged"}
	answer := w.send(r)
	if answer.Code != http.StatusTeapot || answer.Body.String() != "answer" || body != "intent=focus" {
		t.Fatalf("%d %s, sent %q", answer.Code, answer.Body, body)
	}
	if diff := cmp.Diff([]string{"__client=1; Path=/; HttpOnly", "__client_uat=2; Domain=example.com"}, answer.Header()["Set-Cookie"]); diff != "" {
		t.Errorf("cookies (-want +got):\n%s", diff)
	}
	got := w.last()
	if got.RequestURI != "/v1/client/sessions/sess_1/touch?_method=PATCH&a=%2F" || got.Method != http.MethodPost || got.Host != strings.TrimPrefix(w.upstream.URL, "http://") {
		t.Errorf("%s %s to %s", got.Method, got.RequestURI, got.Host)
	}
	want := http.Header{
		"Clerk-Proxy-Url": {"https://app.example.com/__clerk"}, "Clerk-Secret-Key": {secret}, "X-Forwarded-For": {"198.51.100.7"},
		"X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Proto": {"https"},
		"Cookie": {"__client=x; theme=dark"}, "Authorization": {"Bearer token"}, "Origin": {"https://app.example.com"},
		"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Length": {"12"}, "Accept-Encoding": {"br"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestTheClientsAddressComesFromTrustedPeersAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted policy.StringList
		want    string
	}{
		"nobody is trusted":      {nil, "198.51.100.7"},
		"the peer is trusted":    {policy.StringList{"198.51.100.0/24"}, "203.0.113.9"},
		"another one is trusted": {policy.StringList{"10.0.0.0/8"}, "198.51.100.7"},
	} {
		w := newWorld(t, nil, func(o *Options) { o.TrustedProxies = c.trusted })
		r := get("/__clerk/v1/client")
		r.Header.Set("X-Forwarded-For", "6.6.6.6, 203.0.113.9")
		w.send(r)
		if got := w.last().Header.Get("X-Forwarded-For"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	w := newWorld(t, nil, nil)
	r := get("/__clerk/v1/client")
	r.RemoteAddr = "@"
	if answer := w.send(r); answer.Code != 500 || w.last() != nil {
		t.Errorf("a client without an address: %d", answer.Code)
	}
}

// What is on the left is sent, what is on the right reaches Clerk; "" is refused.
func TestPathsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	for target, want := range map[string]string{
		"/__clerk":                                 "/",
		"/__clerk/":                                "/",
		"/__clerk?x=1":                             "/?x=1",
		"/__clerk/v1/client":                       "/v1/client",
		"/__clerk/v1/client/":                      "/v1/client/",
		"/__clerk/.well-known/jwks.json":           "/.well-known/jwks.json",
		"/__clerk/v1/a%20b/caf%C3%A9":              "/v1/a%20b/caf%C3%A9",
		"/__clerk/v1/sess_1:x@y,z;a=b":             "/v1/sess_1:x@y,z;a=b",
		"/__clerk/v1/x?u=https://e.com/a":          "/v1/x?u=https://e.com/a",
		"/__clerkx":                                "",
		"/__CLERK/v1":                              "",
		"/_%5Fclerk/v1":                            "",
		"/":                                        "",
		"/__clerk/../x":                            "",
		"/__clerk/%2e%2e/x":                        "",
		"/__clerk/v1/..":                           "",
		"/__clerk/v1/.":                            "",
		"/__clerk/v1/..;x/y":                       "",
		"/__clerk/v1/..%3bx/y":                     "",
		"/__clerk/v1/..%20/y":                      "",
		"/__clerk//evil.example/x":                 "",
		"/__clerk///x":                             "",
		"/__clerk/v1//x":                           "",
		"/__clerk/v1%2fclient":                     "",
		"/__clerk/v1%5cclient":                     "",
		"/__clerk/v1%252fclient":                   "",
		"/__clerk/v1/%3Fx":                         "",
		"/__clerk/v1/%00":                          "",
		"/__clerk/v1/%0d%0aX:y":                    "",
		"/__clerk/v1/%C0%AE%C0%AE/x":               "",
		"/__clerk/v1/%E2%80%A8":                    "",
		"/__clerk/v1/%E2%80%8B":                    "",
		"/__clerk/@evil.example/x":                 "/@evil.example/x",
		"/__clerk/" + strings.Repeat("a", maxPath): "",
	} {
		w.seen = nil
		answer := w.send(get(target))
		switch got := w.last(); {
		case want == "" && (got != nil || answer.Code != 400):
			t.Errorf("%.60s: %d, and the upstream was asked: %v", target, answer.Code, got != nil)
		case want != "" && (got == nil || got.RequestURI != want):
			t.Errorf("%s: %d %s", target, answer.Code, answer.Body)
		}
	}
}

// The proxy's own rules hold whatever the policy's reader says.
func TestPathsWithMoreThanOneReadingAreNotPlain(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/": false, "": false, "x": false, "/v1": true, "/v1/": false, "/v1/..": false, "/v1/...": false, "/v1/..;a": false, "/v1/..%3ba": false, "/v1/.%20": false,
		"/;a": false, "/%": false, "/%zz": false, "/%ff": false, "/.well-known/x": true, "/a;b=c": true, "/%E2%80%AE": false, "/a%09": false,
	} {
		if got := plainPath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

func TestRedirectsLeadThroughTheProxy(t *testing.T) {
	t.Parallel()
	var location string
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header()["Location"] = []string{location}
		rw.WriteHeader(http.StatusTemporaryRedirect)
	}, nil)
	const proxy = "https://app.example.com/__clerk"
	for from, want := range map[string]string{
		w.upstream.URL + "/v1/x?a=b#c":                       proxy + "/v1/x?a=b#c",
		w.upstream.URL:                                       proxy,
		w.upstream.URL + "//evil.example":                    proxy + "//evil.example",
		"/npm/@clerk/clerk-js@5/x.js":                        proxy + "/npm/@clerk/clerk-js@5/x.js",
		"next?z=1":                                           proxy + "/v1/next?z=1",
		"https://accounts.google.com/o?a=%2F":                "https://accounts.google.com/o?a=%2F",
		"//evil.example/x":                                   "//evil.example/x",
		"mailto:a@example.com":                               "mailto:a@example.com",
		"https://%zz":                                        "https://%zz",
		strings.Replace(w.upstream.URL, "://", "://u:p@", 1): strings.Replace(w.upstream.URL, "://", "://u:p@", 1),
	} {
		location = from
		answer := w.send(get("/__clerk/v1/here"))
		if got := answer.Header().Get("Location"); got != want || answer.Code != http.StatusTemporaryRedirect {
			t.Errorf("%s: %d %q, want %q", from, answer.Code, got, want)
		}
	}
}

func TestAProxyURLThatIsAPathIsOnEachOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(o *Options) {
		o.Clerk.ProxyURL, o.Clerk.AuthorizedParties = "/__clerk/", policy.StringList{"https://app.example.com", "http://localhost:3000"}
	})
	for host, want := range map[string]string{
		"app.example.com": "https://app.example.com/__clerk", "APP.example.com:443": "https://app.example.com/__clerk",
		"localhost:3000": "http://localhost:3000/__clerk", "evil.example": "", "": "",
	} {
		w.seen = nil
		r := get("/__clerk/v1/client")
		r.Host = host
		answer := w.send(r)
		if got := w.last(); want == "" && (got != nil || answer.Code != 421) || want != "" && (got == nil || got.Header.Get("Clerk-Proxy-Url") != want) {
			t.Errorf("%q: %d, %v", host, answer.Code, got)
		}
	}
}

func TestWhatIsTooLargeIsNotForwarded(t *testing.T) {
	t.Parallel()
	var got int64
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { got, _ = io.Copy(io.Discard, r.Body) }, nil)
	for name, c := range map[string]struct {
		length, announced int64
		want              int
	}{
		"all that may be":   {maxBody, maxBody, 200},
		"one byte more":     {maxBody + 1, maxBody + 1, 413},
		"and not announced": {maxBody + 1, -1, 413},
	} {
		r := get("/__clerk/v1/client")
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(io.LimitReader(zeros{}, c.length)), c.announced
		w.seen = nil
		answer := w.send(r)
		if c.announced > maxBody && w.last() != nil {
			t.Errorf("%s: it went out all the same", name)
		}
		if answer.Code != c.want || c.want == 200 && got != c.length {
			t.Errorf("%s: %d, the upstream had %d", name, answer.Code, got)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestErrorsHaveClerksForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, func(o *Options) {
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("dial " + r.URL.String() + " with " + r.Header.Get("Clerk-Secret-Key"))
		})
	})
	for target, want := range map[string]struct {
		status int
		code   string
	}{
		"/__clerk/v1/client?ticket=t0ps3cret": {502, codeRequest},
		"/elsewhere":                          {400, codePath},
	} {
		answer := w.send(get(target))
		var body struct {
			Errors []struct{ Code, Message string }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != want.status || len(body.Errors) != 1 || body.Errors[0].Code != want.code {
			t.Errorf("%s: %d %s", target, answer.Code, answer.Body)
		}
		if answer.Header().Get("Cache-Control") != "no-store" || answer.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", target, answer.Header())
		}
	}
	if text := w.log.String(); strings.Contains(text, "t0ps3cret") || !strings.Contains(text, "no answer") {
		t.Errorf("logged %q", text)
	}
}

func TestClerkHasSoMuchTimeAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Options{Clerk: newConfig(), Request: overHTTPS, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		if err != nil {
			t.Fatal(err)
		}
		began, answer := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(answer, get("/__clerk/v1/client"))
		if took := time.Since(began); took != totalTimeout || answer.Code != 502 {
			t.Errorf("%d after %v", answer.Code, took)
		}
	})
	if transport := newTransport(); transport.ResponseHeaderTimeout != headerTimeout || !transport.DisableCompression {
		t.Error("the transport waits for ever, or opens bodies")
	}
}

func TestAClientThatLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	arrived := make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(ended)
	}, nil)
	server := httptest.NewServer(w)
	defer server.Close()
	r, err := http.NewRequest(http.MethodGet, server.URL+"/__clerk/v1/client", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := contextOf(t)
	go func() { <-arrived; leave() }()
	if _, err := server.Client().Do(r.WithContext(ctx)); err == nil {
		t.Error("an answer without anybody to give it")
	}
	<-ended
}

func TestAnUpstreamThatSwitchesProtocolsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		conn.Close()
	}, nil)
	r := get("/__clerk/v1/client")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	if answer := w.send(r); answer.Code != 502 || w.last().Header.Get("Upgrade") != "" {
		t.Errorf("%d", answer.Code)
	}
}

func TestMethodsThatAreNoRequestsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	for _, method := range []string{http.MethodConnect, http.MethodTrace} {
		r := get("/__clerk/v1/client")
		r.Method = method
		if answer := w.send(r); answer.Code != 405 || w.last() != nil {
			t.Errorf("%s: %d", method, answer.Code)
		}
	}
}

func TestOptionsThatMakeNoProxyAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Options){
		"secret_key: is required": func(o *Options) { o.Clerk.SecretKey = "" },
		"proxy_url: is missing":   func(o *Options) { o.Clerk.ProxyURL = "" },
		"authorized_parties":      func(o *Options) { o.Clerk.ProxyURL = "/__clerk" },
		"plain path":              func(o *Options) { o.Clerk.ProxyURL = "https://app.example.com" },
		"not https":               func(o *Options) { o.Upstream = "http://frontend-api.example.com" },
		"not an absolute URL":     func(o *Options) { o.Upstream = "frontend-api.example.com" },
		"query or a fragment":     func(o *Options) { o.Upstream = "https://frontend-api.example.com/?x" },
		"user information":        func(o *Options) { o.Upstream = "https://u:p@frontend-api.example.com" },
		"not a plain one":         func(o *Options) { o.Upstream = "https://frontend-api.example.com/a/../b" },
		"publishable key":         func(o *Options) { o.Clerk.PublishableKey = "" },
		"trusted_proxies":         func(o *Options) { o.TrustedProxies = policy.StringList{"0.0.0.0/0"} },
	} {
		o := Options{Clerk: newConfig(), Request: overHTTPS}
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", want, err)
		}
	}
	test := Options{Clerk: newConfig(), Request: overHTTPS}
	test.Clerk.PublishableKey, test.Clerk.SecretKey = strings.Replace(test.Clerk.PublishableKey, "live", "test", 1), "sk_test_x"
	if h, err := New(test); err != nil || len(h.Warnings()) != 1 {
		t.Errorf("a key for testing: %v", err)
	}
}
