package forwardauth_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// FuzzCheck sends checks of all kinds. Whatever is in them, what is judged is what the
// proxy's own fields tell, once each, and nothing but a decision that allows passes.
func FuzzCheck(f *testing.F) {
	for _, dialect := range dialects {
		r := told(dialect)
		var b strings.Builder
		b.WriteString(r.Method + " " + r.RequestURI + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
		_ = r.Header.Write(&b) // to memory
		f.Add(b.String()+"\r\n", true)
		f.Add(strings.Replace(b.String(), "a%20b", "/../%2e", 1)+"X-Original-URL: /\r\nX_Forwarded_Uri: /\r\n\r\n", false)
	}
	f.Fuzz(func(t *testing.T, raw string, allows bool) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		r.RemoteAddr = "10.0.0.2:1"
		d := policy.Denial(policy.ReasonRoleMissing)
		if allows {
			d = policy.Decision{Outcome: policy.Allow, Status: 200}
		}
		var asked []*policy.Request
		w := ask(newHandler(t, fixed(d, &asked)), r)
		if w.Code < 300 && (!allows || len(asked) != 1) || w.Code == http.StatusInternalServerError {
			t.Fatalf("%d, asked %d times", w.Code, len(asked))
		}
		for _, q := range asked {
			told := r.Header["X-Forwarded-Uri"]
			if rest, ok := strings.CutPrefix(r.RequestURI, "/forward-auth/envoy"); ok {
				told = []string{rest}
			} else if urls := r.Header["X-Original-Url"]; strings.HasPrefix(r.RequestURI, "/forward-auth/nginx") && len(urls) == 1 {
				told = []string{urls[0][len(q.Scheme+"://"+q.Host):]}
			}
			if !slices.Equal(told, []string{q.Target}) || q.Method == "" || q.Scheme != "http" && q.Scheme != "https" {
				t.Errorf("told %q, judged %s %s %q", told, q.Method, q.Scheme, q.Target)
			}
		}
	})
}

// FuzzPlayBack sends answers to be played back. Nothing that is played back is what a
// proxy lets requests pass by.
func FuzzPlayBack(f *testing.F) {
	for _, d := range refusals() {
		f.Add(ask(newHandler(f, fixed(d, nil)), told("nginx")).Header().Get("X-Clerkgate-Answer"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := told("nginx")
		r.RequestURI = "/forward-auth/nginx/answer"
		r.Header["X-Clerkgate-Answer"] = []string{text}
		w := httptest.NewRecorder()
		newHandler(t, fixed(policy.Denial(policy.ReasonRoleMissing), nil)).ServeHTTP(w, r)
		if w.Code < 300 || w.Body.Len() > 256<<10 {
			t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
		}
	})
}
