package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
)

// allowed is a decision with all that one can have.
func allowed() policy.Decision {
	return policy.Decision{
		Outcome: policy.Allow, Status: 200, Reason: policy.ReasonAllowed,
		SetHeaders:    []policy.Header{{Name: "X-User-Id", Value: "user_1"}, {Name: "Authorization", Value: "Bearer minted"}},
		RemoveHeaders: []string{"X-Org-Id", "Cookie"},
		RemoveQuery:   []string{"x"},
		ResponseHeaders: []policy.Header{
			{Name: "Set-Cookie", Value: "a=1; Path=/"}, {Name: "Set-Cookie", Value: "b=2; Path=/"}, {Name: "RateLimit", Value: `"l";r=1`},
		},
	}
}

// What each proxy is told of a decision that allows. A client's own copies of what is
// named, or not named, here are gone by that.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[string]http.Header{
		"nginx": {
			"X-User-Id": {"user_1"}, "X-Org-Id": {""}, "Authorization": {"Bearer minted"}, "Cookie": {""}, "X-Clerkgate-Target": {"/a%20b"},
			"X-Clerkgate-Cookie-1": {"a=1; Path=/"}, "X-Clerkgate-Cookie-2": {"b=2; Path=/"}, "Ratelimit": {`"l";r=1`},
		},
		"traefik": {"X-User-Id": {"user_1"}, "Authorization": {"Bearer minted"}},
		"caddy":   {"X-User-Id": {"user_1"}, "Authorization": {"Bearer minted"}},
		"haproxy": {"X-User-Id": {"user_1"}, "X-Org-Id": {""}, "Authorization": {"Bearer minted"}, "Cookie": {""}},
		"haproxy/script": {
			"X-User-Id": {"user_1"}, "Authorization": {"Bearer minted"}, "X-Clerkgate-Set": {"X-User-Id,Authorization"}, "X-Clerkgate-Remove": {"X-Org-Id,Cookie"},
			"Set-Cookie": {"a=1; Path=/", "b=2; Path=/"}, "Ratelimit": {`"l";r=1`}, "X-Clerkgate-Add": {"Set-Cookie,Ratelimit"}, "X-Clerkgate-Query": {""},
		},
		"envoy": {
			"X-User-Id": {"user_1"}, "Authorization": {"Bearer minted"}, "X-Envoy-Auth-Headers-To-Remove": {"X-Org-Id,Cookie"},
			"Set-Cookie": {"a=1; Path=/", "b=2; Path=/"}, "Ratelimit": {`"l";r=1`},
		},
	} {
		want.Set("Cache-Control", "no-store")
		want.Set("Content-Length", "0")
		r := told(dialect)
		r.Header.Set("Cookie", "__session=users.own")
		r.Header.Set("Authorization", "Bearer users.own")
		w := ask(newHandler(t, fixed(allowed(), nil)), r)
		if diff := cmp.Diff(want, w.Header()); w.Code != 200 || w.Body.Len() > 0 || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", dialect, w.Code, diff)
		}
	}
}

// Credentials that a decision does not change are told as they are to proxies that know
// no other way to leave them.
func TestCredentialsStay(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"nginx", "traefik", "caddy"} {
		r := told(dialect)
		r.Header["Cookie"] = []string{"a=1", "b=2"}
		r.Header.Set("Authorization", "Basic dTpw")
		w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil)), r)
		if got := w.Header().Get("Cookie") + " " + w.Header().Get("Authorization"); got != "a=1; b=2 Basic dTpw" {
			t.Errorf("%s: %s", dialect, got)
		}
		if w := ask(newHandler(t, fixed(policy.Decision{Outcome: policy.Allow, Status: 200}, nil)), told(dialect)); w.Header()["Cookie"] != nil || w.Header()["Authorization"] != nil {
			t.Errorf("%s makes credentials: %v", dialect, w.Header())
		}
	}
}

// refusals are decisions of all kinds, with what the client must get.
func refusals() []policy.Decision {
	limited := policy.Denial(policy.ReasonRateLimited)
	limited.ResponseHeaders = append(limited.ResponseHeaders, policy.Header{Name: "Retry-After", Value: "7"})
	signIn := policy.Decision{Outcome: policy.Redirect, Status: 307, Reason: policy.ReasonSessionMissing, ResponseHeaders: []policy.Header{
		{Name: "Location", Value: "https://accounts.example.com/sign-in"}, {Name: "Set-Cookie", Value: "a=1; Path=/"}, {Name: "Set-Cookie", Value: "b=2; Path=/"}, {Name: "Set-Cookie", Value: "c=3; Path=/"},
	}}
	missing := policy.Denial(policy.ReasonSessionMissing)
	missing.ResponseHeaders = append(missing.ResponseHeaders, policy.Header{Name: "WWW-Authenticate", Value: `Bearer realm="clerk"`})
	return []policy.Decision{limited, signIn, missing, policy.Denial(policy.ReasonRoleMissing), policy.Denial(policy.ReasonKeysUnavailable), policy.Denial(policy.ReasonTargetMalformed)}
}

// The client gets the same answer by every proxy: nginx fetches it.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, d := range refusals() {
		for _, dialect := range dialects {
			h := newHandler(t, fixed(d, nil))
			w := ask(h, told(dialect))
			if dialect == "nginx" {
				w = fetch(t, h, &d, w)
			}
			if w.Code != d.Status || w.Body.String() != string(d.Body) {
				t.Errorf("%s, %s: %d %s", d.Reason, dialect, w.Code, w.Body)
			}
			for _, field := range d.ResponseHeaders {
				if !slices.Contains(w.Header().Values(field.Name), field.Value) {
					t.Errorf("%s, %s lacks %v", d.Reason, dialect, field)
				}
			}
		}
	}
}

// fetch does what nginx does with a refusal: it takes 401 and 403 alone, and asks for the
// answer by the field that came with it.
func fetch(t *testing.T, h http.Handler, d *policy.Decision, refused *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	want := http.StatusForbidden
	if d.Status == 401 || d.Status == 307 {
		want = http.StatusUnauthorized
	}
	if refused.Code != want || refused.Body.Len() > 0 || status(refused) != d.Status || refused.Header().Get("Location") != d.Header("Location") || refused.Header().Get("Retry-After") != d.Header("Retry-After") {
		t.Errorf("%s: nginx is told %d %v", d.Reason, refused.Code, refused.Header())
	}
	r := told("nginx")
	r.RequestURI = "/forward-auth/nginx/answer"
	r.Header = http.Header{"X-Clerkgate-Answer": refused.Header()["X-Clerkgate-Answer"]}
	return ask(h, r)
}

// The path that plays answers back plays back nothing else.
func TestOnlyRefusalsArePlayedBack(t *testing.T) {
	t.Parallel()
	h := newHandler(t, fixed(policy.Denial(policy.ReasonRoleMissing), nil))
	carried := ask(h, told("nginx")).Header().Get("X-Clerkgate-Answer")
	passing := ask(newHandler(t, fixed(policy.Decision{Status: 200, Body: []byte("x")}, nil)), told("nginx")).Header().Get("X-Clerkgate-Answer")
	for name, field := range map[string][]string{
		"nothing": nil, "an empty one": {""}, "no base64": {"!"}, "no answer": {"AAAA"}, "half of one": {carried[:len(carried)/2]}, "one that passes": {passing},
	} {
		r := told("nginx")
		r.RequestURI = "/forward-auth/nginx/answer"
		r.Header["X-Clerkgate-Answer"] = field
		if w := ask(h, r); w.Code != 403 || !strings.Contains(w.Body.String(), string(policy.ReasonNoDecision)) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestTraefikGetsAbsoluteLocations(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"/unauthorized": "https://app.example.com/unauthorized", "https://accounts.example.com/": "https://accounts.example.com/", "//evil.example/": "//evil.example/",
	} {
		d := policy.Decision{Outcome: policy.Redirect, Status: 307, ResponseHeaders: []policy.Header{{Name: "Location", Value: location}}}
		if got := ask(newHandler(t, fixed(d, nil)), told("traefik")).Header().Get("Location"); got != want {
			t.Errorf("%s becomes %s", location, got)
		}
		if got := ask(newHandler(t, fixed(d, nil)), told("caddy")).Header().Get("Location"); got != location {
			t.Errorf("for Caddy %s becomes %s", location, got)
		}
	}
}

// HEAD is a way to ask; that the client gets no page is the proxy's business.
func TestEveryMethodAsks(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PURGE"} {
		r := told("haproxy")
		r.Method = method
		if w := ask(newHandler(t, fixed(allowed(), nil)), r); w.Code != 200 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}
