package frontendapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/clerkgate/clerkgate/session"
)

func newConfig() session.Config {
	return session.Config{PublishableKey: keyOf("clerk.example.com"), SecretKey: secret, ProxyURL: "https://app.example.com/__clerk"}
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// The secret key goes to the upstream, in one field, and is seen nowhere else:
// not by a host that a redirect leads to, not in answers, errors or logs,
// whatever the upstream does.
func TestTheSecretKeyGoesToTheUpstreamAlone(t *testing.T) {
	t.Parallel()
	var elsewhere sync.Map
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere.Store(r.RequestURI, fmt.Sprint(r.Header)) }))
	defer other.Close()
	behaviours := map[string]http.HandlerFunc{
		"answers": func(http.ResponseWriter, *http.Request) {},
		"redirects to another host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/x", http.StatusTemporaryRedirect)
		},
		"sends the fields back":          echo,
		"cuts the connection":            func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"speaks another protocol":        garbage("SSH-2.0-x\r\n"),
		"answers with a malformed field": garbage("HTTP/1.1 200 OK\r\nX Y: z\r\n\r\n"),
		"answers with endless fields":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", maxHeader+1)) },
	}
	for name, behave := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, behave, nil)
			for _, target := range []string{"/__clerk/v1/client", "/__clerk/v1/x?redirect_url=" + other.URL, "/__clerk//x", "/nothing"} {
				r := get(target)
				r.Header.Set("Connection", "Clerk-Secret-Key")
				answer := w.send(r)
				if text := fmt.Sprint(answer.Code, answer.Header(), answer.Body); strings.Contains(text, secret) {
					t.Errorf("%s: the answer has the key: %s", target, text)
				}
			}
			if got := w.last(); got == nil || got.Header.Get("Clerk-Secret-Key") != secret {
				t.Error("the upstream did not get the key")
			}
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("logged: %s", w.log.String())
			}
			if text := fmt.Sprintf("%v %+v", w.Handler.Warnings(), w.Prefix()); strings.Contains(text, secret) {
				t.Error(text)
			}
		})
	}
	t.Cleanup(func() {
		elsewhere.Range(func(target, fields any) bool {
			t.Errorf("another host was asked for %v with %v", target, fields)
			return true
		})
	})
}

// echo answers with the fields that came, as fields.
func echo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.Header()["clerk_secret_key"] = r.Header["Clerk-Secret-Key"]
}

// garbage answers with bytes.
func garbage(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		conn.Close()
	}
}

// Whatever the target, what goes out goes to the upstream, below its own path,
// and nowhere above it.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"/__clerk/v1/client", "/__clerk//evil.example/x", "/__clerk/../x", "/__clerk/%2e%2e/x", "/__clerk/@evil.example", "/__clerk/v1/..;/x",
		"/__clerk/\\evil.example", "/__clerk/%5c%5cevil.example", "/__clerk/v1?x=//evil.example", "/__clerk/:80/x", "/__clerk/v1/%252e%252e/", "/__clerk#x",
	} {
		f.Add(seed)
	}
	const base = "https://frontend-api.example.com/base"
	var asked *http.Request
	h, err := New(Options{Clerk: newConfig(), Request: overHTTPS, Upstream: base, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r, Header: http.Header{}}, nil
	})})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r := get(target)
		asked = nil
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if asked == nil {
			if answer.Code < 400 {
				t.Errorf("%q: %d without asking", target, answer.Code)
			}
			return
		}
		out := asked.URL.String()
		path := asked.URL.EscapedPath()
		switch {
		case !strings.HasPrefix(out, base+"/"), asked.Host != "frontend-api.example.com", asked.URL.Host != asked.Host:
			t.Errorf("%q went to %q", target, out)
		case strings.Contains(path, "//"), strings.Contains(path, "\\"), strings.Contains(asked.URL.Path, "/../"), strings.HasSuffix(asked.URL.Path, "/.."):
			t.Errorf("%q went out as %q", target, path)
		case path != "/base"+strings.TrimPrefix(r.URL.EscapedPath(), "/__clerk") && path != "/base/":
			t.Errorf("%q was changed to %q", target, path)
		case strings.Contains(fmt.Sprint(answer.Header(), answer.Body), secret):
			t.Error("the key came back")
		}
	})
}
