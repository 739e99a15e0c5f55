package session

import (
	"net/http"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// Answers of Clerk that are no verdict make an outage of whatever depends on
// them. A browser that loads a page may be sent to the Frontend API for a new
// session, but not for ever.
func TestWhereClerkHasNoAnswerNobodyIsSignedOut(t *testing.T) {
	t.Parallel()
	cookies := signedInCookies(mint.Token(t, object{"exp": now.Unix() - 60})) + "; __refresh_" + mint.Suffix + "=r1"
	script := func(cookies string) *policy.Request {
		r := sessiontest.Navigation("/api", cookies)
		r.Headers = sessiontest.Fields("Sec-Fetch-Dest", "empty", "Accept", "application/json", "Cookie", cookies)
		return r
	}
	nonce := "__clerk_handshake_nonce=n; " + browser.SentCookie + "=1"
	opaque := sessiontest.Navigation("/", "", "Authorization", "Bearer "+anAPIKey)
	tests := []struct {
		name, method, path string
		request            *policy.Request
		accept             policy.TokenTypes
	}{
		{"a refresh for a script", "POST", refreshPath, script(cookies), sessionsOnly},
		{"a refresh for a page after handshakes that led nowhere", "POST", refreshPath, sessiontest.Navigation("/", cookies+"; __clerk_redirect_count=3"), sessionsOnly},
		{"a nonce", "GET", nonceFor, sessiontest.Navigation("/", nonce), sessionsOnly},
		{"an opaque token", "POST", "/api_keys/verify", opaque, policy.TokenTypes{policy.APIKey}},
	}
	faults := map[string]sessiontest.Answer{
		"no answer":   {NetworkError: true},
		"408":         {Status: http.StatusRequestTimeout, BodyText: "{}"},
		"425":         {Status: http.StatusTooEarly, BodyText: "{}"},
		"429":         {Status: http.StatusTooManyRequests, BodyText: "{}"},
		"500":         {Status: http.StatusInternalServerError, BodyText: `{"errors":[{"code":"invalid_refresh_token"}]}`},
		"503 in HTML": {Status: http.StatusServiceUnavailable, BodyText: "<html>"},
		"broken JSON": {Status: http.StatusOK, BodyText: `{"cookies":[`},
		"HTML":        {Status: http.StatusOK, BodyText: "<html>"},
		"null":        {Status: http.StatusOK, BodyText: " null\n"},
	}
	for _, tt := range tests {
		for name, fault := range faults {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				fault.Method, fault.Path = tt.method, tt.path
				b := newBrowser(t, Config{}, fault)
				got := b.Authenticate(t.Context(), tt.request, tt.accept, now)
				if got.Status != policy.Unavailable || got.Reason != policy.ReasonClerkUnavailable || got.Reason.Status() != http.StatusServiceUnavailable {
					t.Errorf("%+v", got)
				}
				if len(b.backend.Asked(tt.path)) == 0 {
					t.Error("Clerk was not asked")
				}
			})
		}
	}
	page := newBrowser(t, Config{}, sessiontest.Answer{Method: "POST", Path: refreshPath, NetworkError: true}).load(t, sessiontest.Navigation("/", cookies))
	if page.Status != policy.Handshake || page.Reason != policy.ReasonExpiredRefreshFailed {
		t.Errorf("a page: %+v", page)
	}
	refused := newBrowser(t, Config{}, answerOf(refreshPath, http.StatusUnauthorized, object{"errors": []object{{"code": "invalid_refresh_token"}}})).load(t, script(cookies))
	if refused.Status != policy.SignedOut || refused.Reason != policy.ReasonExpiredRefreshRefused {
		t.Errorf("a refresh token that does not hold: %+v", refused)
	}
}
