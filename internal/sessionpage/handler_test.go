package sessionpage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

func TestListShowsOnesOwnSessionsAndMarksThisOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone, stranger := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari"), w.signIn(t, "user_max", "Firefox")
	answer := w.send("GET", DefaultPrefix, here, jsonAccept)
	if answer.Code != 200 || answer.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	got := decode[Listing](t, answer)
	if len(got.Sessions) != 2 || got.Sessions[0].ID != here.ID || !got.Sessions[0].Current || got.Sessions[1].ID != phone.ID || got.Sessions[1].Current {
		t.Errorf("listed %+v", got.Sessions)
	}
	if want := "https://accounts.example.com/sign-in/choose?redirect_url=https%3A%2F%2Fapp.example.com%2F__clerkgate%2Fsessions"; got.AccountChooserURL != want {
		t.Errorf("the account chooser is at %q", got.AccountChooserURL)
	}
	page := w.send("GET", DefaultPrefix, here, browserAccept).Body.String()
	for _, want := range []string{"Chrome 156 on Macintosh", "Safari 156 on Macintosh", "Lisbon, PT", "203.0.113.9", "This device", "/" + phone.ID + "/revoke"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{stranger.ID, "Firefox", "user_max", here.ID + "/revoke", w.clerk.SecretKey()} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// An answer of Clerk's about somebody else, or of no sense, shows nothing.
func TestListShowsNothingThatClerkWasNotAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	w.api.fails, w.api.status = "/sessions", 200
	w.api.body = `{"data":[null,{"id":"sess_1","user_id":"user_max","status":"active"},{"id":"sess_2","user_id":"user_ada","status":"ended"},
		{"id":"sess_/../3","user_id":"user_ada","status":"active"},{"id":"sess_4","user_id":"user_ada","status":"active"}],"total_count":5}`
	got := decode[Listing](t, w.send("GET", DefaultPrefix, here, jsonAccept))
	if len(got.Sessions) != 1 || got.Sessions[0].ID != "sess_4" {
		t.Errorf("listed %+v", got.Sessions)
	}
	if page := w.send("GET", DefaultPrefix, here, browserAccept).Body.String(); !strings.Contains(page, "Clerk does not list this session") {
		t.Error("the page does not say that this session is missing")
	}
}

// The fields of the JSON are public: programs read them.
func TestTheFieldsOfASessionAreStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	list := decode[map[string]any](t, w.send("GET", DefaultPrefix, here, jsonAccept))
	var fields []string
	for name := range list["sessions"].([]any)[0].(map[string]any) {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	want := []string{"browser", "browser_version", "city", "country", "created_at", "current", "device", "expires_at", "id",
		"impersonated", "ip_address", "last_active_at", "mobile", "status"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatGoesWrongAtClerkIsSaidPlainly(t *testing.T) {
	t.Parallel()
	const canary = "text-of-an-answer"
	for name, c := range map[string]struct {
		fails, body string
		status      int
		want        int
		reason      string
	}{
		"an outage":         {"/sessions", canary, 500, 503, "clerk-unavailable"},
		"too many requests": {"/sessions", `{"errors":[{"code":"too_many_requests","message":"` + canary + `"}]}`, 429, 503, "clerk-unavailable"},
		"a page of a proxy": {"/sessions", "<html>" + canary, 502, 503, "clerk-unavailable"},
		"a wrong key":       {"/sessions", `{"errors":[{"code":"clerk_key_invalid","message":"` + canary + `"}]}`, 401, 502, "clerk-refused"},
		"a redirect":        {"/sessions", canary, 302, 502, "clerk-refused"},
		"no JSON":           {"/sessions", "[" + canary, 200, 503, "clerk-unavailable"},
		"an endless answer": {"/sessions", `{"data":[],"total_count":0,"x":"` + strings.Repeat("x", 1<<20) + `"}`, 200, 503, "clerk-unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			here := w.signIn(t, "user_ada", "Chrome")
			w.api.fails, w.api.body, w.api.status = c.fails, c.body, c.status
			answer := w.send("GET", DefaultPrefix, here, jsonAccept)
			p := decode[problem](t, answer)
			if answer.Code != c.want || p.Reason != c.reason || answer.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
			page := w.send("GET", DefaultPrefix, here, browserAccept)
			if page.Code != c.want || !strings.Contains(page.Body.String(), p.Detail) || page.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("the page: %d %s", page.Code, page.Body)
			}
			for _, text := range []string{answer.Body.String(), page.Body.String(), w.log.String()} {
				if strings.Contains(text, canary) || strings.Contains(text, w.clerk.SecretKey()) {
					t.Errorf("repeated: %s", text)
				}
			}
		})
	}
}

func TestNobodyWithoutASessionGetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for name, c := range map[string]struct {
		method, path, accept string
		change               func(*http.Request)
		want                 int
	}{
		"a browser is sent to sign in":   {"GET", "", browserAccept, func(*http.Request) {}, 307},
		"a program is told":              {"GET", "", jsonAccept, func(*http.Request) {}, 401},
		"a form is told":                 {"POST", "/sign-out", browserAccept, func(*http.Request) {}, 401},
		"an API key is not a person":     {"GET", "", jsonAccept, bearer("ak_123456789"), 401},
		"nor is a machine's token":       {"GET", "", jsonAccept, bearer("mt_123456789"), 401},
		"nor an OAuth token":             {"POST", "/sign-out-everywhere", jsonAccept, bearer("oat_123456789"), 401},
		"a forged token does not help":   {"GET", "", jsonAccept, bearer(w.clerk.Mint(here, clerktest.Token{Stranger: true})), 401},
		"nor one without a session's id": {"GET", "", jsonAccept, bearer(w.clerk.Mint(here, clerktest.Token{Claims: map[string]any{"sid": nil}})), 401},
		"nor one of another form":        {"GET", "", jsonAccept, bearer(w.clerk.Mint(here, clerktest.Token{Claims: map[string]any{"sid": "sess_a.b"}})), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := w.send(c.method, DefaultPrefix+c.path, nil, c.accept, c.change)
			if answer.Code != c.want {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
			if to := answer.Header().Get("Location"); (c.want == 307) != strings.HasPrefix(to, "https://accounts.example.com/sign-in?redirect_url=https%3A%2F%2Fapp.example.com") {
				t.Errorf("sent to %q", to)
			}
		})
	}
	if calls := w.api.calls(); len(calls) > 0 {
		t.Errorf("Clerk was asked: %q", calls)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	for name, fields := range map[string]map[string]string{
		"another site":     {"Sec-Fetch-Site": "cross-site"},
		"a sibling":        {"Sec-Fetch-Site": "same-site"},
		"an old browser":   {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		"a sandbox":        {"Sec-Fetch-Site": "", "Origin": "null"},
		"another port":     {"Sec-Fetch-Site": "", "Origin": "https://app.example.com:8443"},
		"a lying sibling":  {"Sec-Fetch-Site": "same-site", "Origin": origin},
		"an older one":     {"Sec-Fetch-Site": "", "Origin": "", "Referer": "https://evil.example/app.example.com"},
		"an older sandbox": {"Sec-Fetch-Site": "", "Origin": "", "Referer": "about:blank"},
		"a port before":    {"Sec-Fetch-Site": "", "Origin": "", "Referer": "https://app.example.com:8443/"},
		"no address":       {"Sec-Fetch-Site": "", "Origin": "", "Referer": "https://[app.example.com/"},
		"an alias":         {"Sec-Fetch-Site": "", "Origin": "", "Referer": "https://app.example.com@evil.example/"},
		"two minds":        {"Sec-Fetch-Site": "same-origin\ncross-site"},
		"two origins":      {"Sec-Fetch-Site": "", "Origin": origin + "\nhttps://evil.example"},
	} {
		for _, path := range []string{"/sign-out", "/sign-out-everywhere", "/" + here.ID + "/revoke"} {
			answer := w.send("POST", DefaultPrefix+path, here, jsonAccept, func(r *http.Request) {
				for name, value := range fields {
					r.Header.Del(name)
					if value != "" {
						r.Header[name] = strings.Split(value, "\n")
					}
				}
			})
			if p := decode[problem](t, answer); answer.Code != 403 || p.Reason != "cross-origin-request" {
				t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
			}
		}
	}
	if calls := w.api.calls(); len(calls) > 0 {
		t.Errorf("Clerk was asked: %q", calls)
	}
}

func TestOtherAddressesAndMethodsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/sign-out", 405}, {"GET", "/" + here.ID + "/revoke", 405}, {"POST", "", 405}, {"DELETE", "", 405}, {"OPTIONS", "", 405}, {"HEAD", "", 200},
		{"GET", "/nothing", 404}, {"POST", "/" + here.ID, 404}, {"POST", "/user_1/revoke", 404}, {"POST", "/sess_/revoke", 404},
		{"POST", "/sess_a%2e/revoke", 404}, {"POST", "/sess_a%2Frevoke", 404}, {"POST", "//" + here.ID + "/revoke", 404},
		{"POST", "/../sessions/" + here.ID + "/revoke", 404}, {"POST", "/sess_" + strings.Repeat("a", 129) + "/revoke", 404},
	} {
		answer := w.send(c.method, DefaultPrefix+c.path, here, jsonAccept)
		if answer.Code != c.want || c.want == 405 && answer.Header().Get("Allow") == "" {
			t.Errorf("%s %s: %d %s", c.method, c.path, answer.Code, answer.Body)
		}
		if c.method == "HEAD" && answer.Body.Len() > 0 {
			t.Error("HEAD has a body")
		}
	}
	if w.Handles(DefaultPrefix+"x") || w.Handles("/") || !w.Handles(DefaultPrefix) || !w.Handles(DefaultPrefix+"/x") {
		t.Error("it handles what is not its own, or not what is")
	}
}

func TestAUserMayAskOnlySoOften(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := newWorldAt(t, func() time.Time { return now }, nil) // nothing is regained while it stands still
	here, other := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_max", "Chrome")
	for range requestsAtOnce {
		if answer := w.send("GET", DefaultPrefix, here, jsonAccept); answer.Code != 200 {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
	}
	if answer := w.send("GET", DefaultPrefix, here, jsonAccept); answer.Code != 429 || answer.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
	if answer := w.send("GET", DefaultPrefix, other, jsonAccept); answer.Code != 200 {
		t.Errorf("somebody else is limited as well: %d", answer.Code)
	}
}

// allEnded says that every session has.
type allEnded struct{}

func (allEnded) Revoked(*policy.Principal, time.Time) policy.Reason {
	return policy.ReasonSessionRevoked
}

// fixed is an authentication that comes out the same for everybody.
type fixed struct{ state policy.AuthState }

func (f fixed) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return f.state
}

func TestASessionThatHasEndedListsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Revocations = allEnded{} })
	here := w.signIn(t, "user_ada", "Chrome")
	if answer := w.send("GET", DefaultPrefix, here, jsonAccept); answer.Code != 401 || !strings.Contains(answer.Body.String(), "session-revoked") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestWhoActsForAUserEndsNoneOfTheirSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari")
	as := func(r *http.Request) {
		r.Header.Set("Cookie", "__session="+w.clerk.Mint(here, clerktest.Token{Claims: map[string]any{"act": map[string]any{"sub": "user_support"}}}))
	}
	for path, want := range map[string]int{"/" + phone.ID + "/revoke": 403, "/sign-out-everywhere": 403} {
		if answer := w.send("POST", DefaultPrefix+path, here, jsonAccept, as); answer.Code != want {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
	if answer := w.send("POST", DefaultPrefix+"/sign-out", here, jsonAccept, as); answer.Code != 200 {
		t.Errorf("signing oneself out: %d %s", answer.Code, answer.Body)
	}
}

func TestAHandshakeIsPassedOn(t *testing.T) {
	t.Parallel()
	renewed := policy.Header{Name: "Set-Cookie", Value: "__session=renewed; Path=/"}
	who := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_ada", SessionID: "sess_1"}
	for name, c := range map[string]struct {
		state policy.AuthState
		want  int
	}{
		"one that is resolved": {policy.AuthState{Status: policy.SignedIn, Principal: who, Headers: []policy.Header{renewed}}, 200},
		"one to begin": {policy.AuthState{Status: policy.Handshake, Reason: policy.ReasonSessionExpired,
			Headers: []policy.Header{renewed, {Name: "Location", Value: "https://clerk.example.com/v1/client/handshake"}}}, 307},
	} {
		w := newWorld(t, func(o *Options) { o.Authenticator = fixed{c.state} })
		answer := w.send("GET", DefaultPrefix, nil, browserAccept)
		if answer.Code != c.want || answer.Header().Get("Set-Cookie") != renewed.Value {
			t.Errorf("%s: %d %v", name, answer.Code, answer.Header())
		}
	}
}

func TestThePageRunsNothingAndEscapesWhatDevicesSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", `"><script>alert(1)</script>`)
	answer := w.send("GET", DefaultPrefix, here, browserAccept)
	page := answer.Body.String()
	if strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the name of a browser is not escaped")
	}
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := answer.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.HasPrefix(policy, "default-src 'none';") ||
		strings.Contains(policy, "unsafe") || !strings.Contains(policy, "form-action 'self' https://accounts.example.com;") {
		t.Errorf("the policy of the page is %q", policy)
	}
}

func TestProgramsAndPeopleGetTheirForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accept, contentType string
		page                bool
	}{
		{browserAccept, "", true}, {jsonAccept, "", false}, {"", "", false}, {"*/*", "", false}, {"*/*", "application/json", false},
		{"", "application/x-www-form-urlencoded", true}, {"*/*", "multipart/form-data; boundary=x", true},
		{"application/json;q=0.1, text/html", "", true}, {"application/problem+json", "", false}, {strings.Repeat("text/html,", 999), "", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Content-Type", c.contentType)
		if got := wantsPage(r); got != c.page {
			t.Errorf("%.40q %q: %v", c.accept, c.contentType, got)
		}
	}
}

func TestOptionsThatMakeNoPageAreRefused(t *testing.T) {
	t.Parallel()
	good := newWorld(t, nil).options
	for want, change := range map[string]func(*Options){
		"secret_key":          func(o *Options) { o.Clerk.SecretKey = "" },
		"publishable_key":     func(o *Options) { o.Clerk.PublishableKey = "pk_live_" },
		"prefix":              func(o *Options) { o.Prefix = "/a/:b(.*)" },
		"signed_out_url":      func(o *Options) { o.SignedOutURL = "//evil.example" },
		"account_chooser_url": func(o *Options) { o.AccountChooserURL = "javascript:alert(1)" },
		"authenticator":       func(o *Options) { o.Authenticator = nil },
		"api_url":             func(o *Options) { o.Clerk.APIURL = "http://api.example.com" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), good.Clerk.SecretKey) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
