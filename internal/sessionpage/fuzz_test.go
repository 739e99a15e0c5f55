package sessionpage

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// Whatever path a client sends, Clerk is asked about the sessions of the caller
// and of ids of sessions, and about nothing else.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/sign-out", "/sign-out-everywhere", "/sess_1/revoke", "/sess_1%2f..%2fusers/revoke", "/../users/user_1/revoke", "/sess_a?x=/revoke",
		"/sess_a%3Fb/revoke", "//sess_1/revoke", "/sess_1/revoke/", "/sess_\u212a/revoke", "/sess_1;x/revoke", "/sess_1/./revoke", "/user_1/revoke",
	} {
		f.Add("POST", seed)
		f.Add("GET", seed)
	}
	allowed := regexp.MustCompile(`^(GET /v1/sessions\?[a-z0-9=&_]+|GET /v1/sessions/sess_[A-Za-z0-9]{1,128}|POST /v1/sessions/sess_[A-Za-z0-9]{1,128}/revoke|edge sess_[A-Za-z0-9]{1,128})$`)
	who := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_ada", SessionID: "sess_own"}
	w := newWorld(f, func(o *Options) {
		o.Authenticator, o.Limiter = fixed{policy.AuthState{Status: policy.SignedIn, Principal: who}}, everybody{}
	})
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(DefaultPrefix + path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, origin+"/", nil)
		r.Method, r.URL = method, u
		w.api.happened = nil
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		for _, call := range w.api.happened {
			if !allowed.MatchString(call) {
				t.Errorf("%s %q: %s", method, path, call)
			}
			if strings.HasPrefix(call, "POST") && method != http.MethodPost {
				t.Errorf("%s %q changed something: %s", method, path, call)
			}
		}
		if to := answer.Header().Get("Location"); to != "" && !strings.HasPrefix(to, DefaultPrefix) {
			t.Errorf("%s %q leads to %q", method, path, to)
		}
	})
}
