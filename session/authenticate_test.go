package session

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/jwt"
)

func testAuthenticator(tb testing.TB, cfg Config) *Authenticator {
	tb.Helper()
	cfg.PublishableKey = mint.PublishableKey
	cfg.AuthorizedParties = policy.StringList{"https://app.example.com"}
	a, err := New(cfg, Options{KeySet: jwttest.Keys(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

var sessionsOnly = policy.TokenTypes{policy.SessionToken}

// authCase is a request and who it must come from: a user, or nobody for a
// reason.
type authCase struct {
	name   string
	fields []policy.Header
	user   string
	reason policy.Reason
}

func (tt authCase) run(t *testing.T, a *Authenticator) {
	t.Helper()
	for range 2 {
		got := a.Authenticate(t.Context(), &policy.Request{Headers: tt.fields}, sessionsOnly, now)
		user := ""
		if got.Principal != nil {
			user = got.Principal.UserID
		}
		if user != tt.user || got.Reason != tt.reason || (got.Status == policy.SignedIn) != (tt.user != "") {
			t.Errorf("%q for %q, status %v (%v); want %q for %q", user, got.Reason, got.Status, got.Cause, tt.user, tt.reason)
		}
	}
}

func TestAuthenticateByHeader(t *testing.T) {
	t.Parallel()
	alice, bob := mint.Token(t, object{"sub": "user_alice"}), mint.Token(t, object{"sub": "user_bob"})
	expired := mint.Token(t, object{"exp": now.Unix() - 60})
	tests := []authCase{
		{"nothing", nil, "", policy.ReasonSessionMissing},
		{"a bearer token", sessiontest.Fields("Authorization", "Bearer "+alice), "user_alice", ""},
		{"any case of scheme and name", sessiontest.Fields("aUTHORIZATION", "bEARER "+alice), "user_alice", ""},
		{"two spaces", sessiontest.Fields("Authorization", "Bearer  "+alice), "user_alice", ""},
		{"white space around", sessiontest.Fields("Authorization", " \tBearer "+alice+" "), "user_alice", ""},
		{"a tab in between", sessiontest.Fields("Authorization", "Bearer\t"+alice), "", policy.ReasonTokenInvalid},
		{"two tokens", sessiontest.Fields("Authorization", "Bearer "+alice+" "+bob), "", policy.ReasonTokenInvalid},
		{"two tokens and a comma", sessiontest.Fields("Authorization", "Bearer "+alice+","+bob), "", policy.ReasonTokenInvalid},
		{"no token", sessiontest.Fields("Authorization", "Bearer"), "", policy.ReasonTokenInvalid},
		{"a quoted token", sessiontest.Fields("Authorization", `Bearer "`+alice+`"`), "", policy.ReasonTokenInvalid},
		{"a bare token is no credential", sessiontest.Fields("Authorization", alice), "", policy.ReasonSessionMissing},
		{"another scheme", sessiontest.Fields("Authorization", "JWT "+alice), "", policy.ReasonSessionMissing},
		{"a scheme that begins alike", sessiontest.Fields("Authorization", "BearerX "+alice), "", policy.ReasonSessionMissing},
		{"a scheme with a colon", sessiontest.Fields("Authorization", "Bearer: "+alice), "", policy.ReasonSessionMissing},
		{"an empty field", sessiontest.Fields("Authorization", "", "Cookie", "__session="+alice), "user_alice", ""},
		{"another scheme beside a cookie", sessiontest.Fields("Authorization", "Basic YTpi", "Cookie", "__session="+alice), "user_alice", ""},
		{"a bearer token beside a cookie", sessiontest.Fields("Cookie", "__session="+bob, "Authorization", "Bearer "+alice), "user_alice", ""},
		{"a bad bearer token beside a good cookie", sessiontest.Fields("Authorization", "Bearer x", "Cookie", "__session="+alice), "", policy.ReasonTokenInvalid},
		{"no bearer token beside a good cookie", sessiontest.Fields("Authorization", "Bearer ", "Cookie", "__session="+alice), "", policy.ReasonTokenInvalid},
		{"two fields", sessiontest.Fields("Authorization", "Bearer "+alice, "authorization", "Bearer "+bob), "", policy.ReasonAuthorizationTwice},
		{"two fields, one of another scheme", sessiontest.Fields("Authorization", "Basic YTpi", "Authorization", "Bearer "+alice), "", policy.ReasonAuthorizationTwice},
		{"an expired token", sessiontest.Fields("Authorization", "Bearer "+expired), "", policy.ReasonSessionExpired},
		{"a token of tomorrow", sessiontest.Fields("Authorization", "Bearer "+mint.Token(t, object{"nbf": now.Unix() + 60})), "", policy.ReasonSessionNotYet},
		{"an API key", sessiontest.Fields("Authorization", "Bearer ak_0123"), "", policy.ReasonTokenType},
		{"a template token", sessiontest.Fields("Authorization", "Bearer "+mint.TokenOf(t, mint.With(mint.Header, object{"cat": "cl_B7d4PD222AAA"}), mint.Claims())), "", policy.ReasonTokenType},
		{"a pending session", sessiontest.Fields("Authorization", "Bearer "+mint.Token(t, object{"sts": "pending"})), "", policy.ReasonSessionPending},
		{"headers alike", sessiontest.Fields("X-Authorization", "Bearer "+alice, "Proxy-Authorization", "Bearer "+alice, "Set-Cookie", "__session="+alice), "", policy.ReasonSessionMissing},
	}
	a := testAuthenticator(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, a)
		})
	}
}

// worthless are that many different session cookies, none of which verifies.
func worthless(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "__session=x%d;", i)
	}
	return b.String()
}

func TestAuthenticateByCookie(t *testing.T) {
	t.Parallel()
	alice, bob := mint.Token(t, object{"sub": "user_alice"}), mint.Token(t, object{"sub": "user_bob"})
	renewed := mint.Token(t, object{"sub": "user_alice", "iat": now.Unix() + 2, "exp": now.Unix() + 62})
	otherSession := mint.Token(t, object{"sub": "user_alice", "sid": "sess_other"})
	forged := mint.Signed(t, mint.OtherKey(), mint.JSONSegment(t, mint.Header), mint.JSONSegment(t, mint.With(mint.Claims(), object{"sub": "user_mallory"})))
	at := strconv.FormatInt(now.Unix(), 10)
	const suffixed = "__session_" + mint.Suffix
	tests := []authCase{
		{"a session cookie", sessiontest.Fields("Cookie", "__session="+alice), "user_alice", ""},
		{"with the instance's suffix", sessiontest.Fields("Cookie", suffixed+"="+alice), "user_alice", ""},
		{"with another's suffix", sessiontest.Fields("Cookie", "__session_zzzzzzzz="+alice), "", policy.ReasonSessionMissing},
		{"among others", sessiontest.Fields("Cookie", "theme=dark;__session="+alice+"; a; b=c=d"), "user_alice", ""},
		{"in a second field", sessiontest.Fields("Cookie", "theme=dark", "cookie", "__session="+alice), "user_alice", ""},
		{"both forms of one session", sessiontest.Fields("Cookie", "__session="+alice+"; "+suffixed+"="+alice), "user_alice", ""},
		{"an older and a renewed token", sessiontest.Fields("Cookie", "__session="+alice+"; __session="+renewed), "user_alice", ""},
		{"two users", sessiontest.Fields("Cookie", "__session="+alice+"; __session="+bob), "", policy.ReasonSessionConflict},
		{"two users in two forms", sessiontest.Fields("Cookie", "__session="+alice+"; "+suffixed+"="+bob), "", policy.ReasonSessionConflict},
		{"two sessions of one user", sessiontest.Fields("Cookie", "__session="+alice+"; __session="+otherSession), "", policy.ReasonSessionConflict},
		{"garbage before", sessiontest.Fields("Cookie", "__session=garbage; __session="+alice), "user_alice", ""},
		{"a forgery before", sessiontest.Fields("Cookie", "__session="+forged+"; __session="+alice), "user_alice", ""},
		{"a forgery alone", sessiontest.Fields("Cookie", "__session="+forged), "", policy.ReasonSessionNoUAT},
		{"an empty cookie", sessiontest.Fields("Cookie", "__session="), "", policy.ReasonSessionMissing},
		{"a name alone", sessiontest.Fields("Cookie", "__session"), "", policy.ReasonSessionMissing},
		{"another case", sessiontest.Fields("Cookie", "__Session="+alice), "", policy.ReasonSessionMissing},
		{"a name that ends alike", sessiontest.Fields("Cookie", "x__session="+alice), "", policy.ReasonSessionMissing},
		{"an encoded separator", sessiontest.Fields("Cookie", "pref=a%3B%20__session="+alice), "", policy.ReasonSessionMissing},
		{"an encoded token", sessiontest.Fields("Cookie", "__session=%65"+alice[1:]), "", policy.ReasonSessionNoUAT},
		{"a quoted token", sessiontest.Fields("Cookie", `__session="`+alice+`"`), "", policy.ReasonSessionNoUAT},
		{"joined by a comma", sessiontest.Fields("Cookie", "__session="+alice+", __session="+bob), "", policy.ReasonSessionNoUAT},
		{"too many", sessiontest.Fields("Cookie", worthless(browser.MaxSessionCookies)+"__session="+alice), "", policy.ReasonSessionConflict},
		{"as many as may be", sessiontest.Fields("Cookie", worthless(browser.MaxSessionCookies-1)+"__session="+alice), "user_alice", ""},
		{"the same any number of times", sessiontest.Fields("Cookie", strings.Repeat("__session="+alice+";", 3*browser.MaxSessionCookies)), "user_alice", ""},

		{"signed in before the token", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat="+at), "user_alice", ""},
		{"signed in after the token", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat="+at+"1"), "", policy.ReasonSessionBeforeUAT},
		{"signed in at no time at all", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat=99999999999999999999999"), "", policy.ReasonSessionBeforeUAT},
		{"signed out", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat=0"), "", policy.ReasonSessionNoUAT},
		{"signed out, oddly put", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat=-1"), "", policy.ReasonSessionNoUAT},
		{"an empty client_uat says nothing", sessiontest.Fields("Cookie", "__session="+alice+"; __client_uat="), "user_alice", ""},
		{"another form signed out", sessiontest.Fields("Cookie", suffixed+"="+alice+"; __client_uat=0"), "user_alice", ""},
		{"the form with suffix signed out", sessiontest.Fields("Cookie", suffixed+"="+alice+"; __session="+alice+"; __client_uat_"+mint.Suffix+"=0"), "", policy.ReasonSessionNoUAT},
		{"a client_uat alone", sessiontest.Fields("Cookie", "__client_uat="+at), "", policy.ReasonUATNoSession},
		{"signed out and no session", sessiontest.Fields("Cookie", "__client_uat=0"), "", policy.ReasonSessionMissing},
	}
	a := testAuthenticator(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, a)
		})
	}
}

func TestAuthenticateTakesTheNewestTokenOfASession(t *testing.T) {
	t.Parallel()
	older, newer := mint.Token(t, nil), mint.Token(t, object{"iat": now.Unix() + 2})
	a := testAuthenticator(t, Config{})
	for _, cookie := range []string{"__session=" + older + "; __session=" + newer, "__session=" + newer + "; __session=" + older} {
		got := a.Authenticate(t.Context(), &policy.Request{Headers: sessiontest.Fields("Cookie", cookie)}, sessionsOnly, now)
		if got.Principal == nil || !got.Principal.IssuedAt.Equal(now.Add(2*time.Second)) {
			t.Errorf("%+v", got)
		}
	}
}

// The table is what Clerk's own library was seen to decide, as far as it does
// not send browsers to the handshake.
func TestAuthenticateAsTheReference(t *testing.T) {
	t.Parallel()
	at := strconv.FormatInt(now.Unix(), 10)
	valid := mint.Token(t, nil)
	foreign := mint.Token(t, object{"iss": "https://clerk.other.com"})
	nameless := mint.Token(t, object{"iss": nil})
	slashed := mint.Token(t, object{"iss": mint.Issuer + "/"})
	older := mint.Token(t, object{"sub": "user_older", "iat": now.Unix() - 9})
	template := mint.TokenOf(t, mint.With(mint.Header, object{"cat": "cl_B7d4PD222AAA"}), mint.Claims())
	const suffixed, suffixedUAT = "__session_" + mint.Suffix, "__client_uat_" + mint.Suffix
	pair := "; __client_uat=" + at
	const member = "user_2member"
	tests := []authCase{
		{"a bare token", sessiontest.Fields("Authorization", valid), member, ""},
		{"a lower-case scheme falls through to the cookies", sessiontest.Fields("Authorization", "bearer "+valid, "Cookie", "__session="+valid+pair), member, ""},
		{"a lower-case scheme alone", sessiontest.Fields("Authorization", "bearer "+valid), "", policy.ReasonSessionMissing},
		{"two words after the scheme", sessiontest.Fields("Authorization", "Bearer "+valid+" x"), member, ""},
		{"two spaces", sessiontest.Fields("Authorization", "Bearer  "+valid), "", policy.ReasonTokenInvalid},
		{"no cookies", nil, "", policy.ReasonSessionMissing},
		{"a session alone", sessiontest.Fields("Cookie", "__session="+valid), "", policy.ReasonSessionNoUAT},
		{"a client_uat alone", sessiontest.Fields("Cookie", "__client_uat="+at), "", policy.ReasonUATNoSession},
		{"both", sessiontest.Fields("Cookie", "__session="+valid+pair), member, ""},
		{"an encoded session", sessiontest.Fields("Cookie", "__session=%65"+valid[1:]+pair), member, ""},
		{"a later client_uat", sessiontest.Fields("Cookie", "__session="+valid+"; __client_uat="+at+"1"), "", policy.ReasonSessionBeforeUAT},
		{"garbage masks the pair with suffix", sessiontest.Fields("Cookie", "__session=a.b; "+suffixed+"="+valid+"; "+suffixedUAT+"="+at+pair), "", policy.ReasonTokenInvalid},
		{"another instance's session gives way to the pair with suffix", sessiontest.Fields("Cookie", "__session="+foreign+"; "+suffixed+"="+valid+"; "+suffixedUAT+"="+at), member, ""},
		{"another instance's session alone", sessiontest.Fields("Cookie", "__session="+foreign+pair), "", policy.ReasonSessionMissing},
		{"an issuer with a slash is another's", sessiontest.Fields("Cookie", "__session="+slashed+pair), "", policy.ReasonSessionMissing},
		{"a session without issuer", sessiontest.Fields("Cookie", "__session="+nameless+pair), member, ""},
		{"a session with suffix and a client_uat without", sessiontest.Fields("Cookie", suffixed+"="+valid+pair), "", policy.ReasonUATNoSession},
		{"the newer of both forms", sessiontest.Fields("Cookie", "__session="+valid+pair+"; "+suffixed+"="+older+"; "+suffixedUAT+"="+at), member, ""},
		{"the form with suffix otherwise", sessiontest.Fields("Cookie", "__session="+older+pair+"; "+suffixed+"="+valid+"; "+suffixedUAT+"="+at), member, ""},
		{"signed out with suffix alone", sessiontest.Fields("Cookie", "__session="+valid+pair+"; "+suffixedUAT+"=0"), member, ""},
		{"signed out without suffix alone", sessiontest.Fields("Cookie", "__session="+older+"; __client_uat=0; "+suffixed+"="+valid+"; "+suffixedUAT+"="+at), member, ""},
		{"a template token", sessiontest.Fields("Cookie", "__session="+template+"; __client_uat="+at+"1"), "", policy.ReasonTokenType},
	}
	a := testAuthenticator(t, Config{SecretKey: "sk_live_x", ReferenceCompat: true})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, a)
		})
	}
}

func TestAuthenticateDoesNothingForTypesThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	a, err := New(Config{PublishableKey: mint.PublishableKey}, Options{KeySet: jwttest.BrokenKeys{Err: jwt.ErrKeysUnavailable}})
	if err != nil {
		t.Fatal(err)
	}
	r := &policy.Request{Headers: sessiontest.Fields("Cookie", "__session="+mint.Token(t, nil))}
	got := a.Authenticate(t.Context(), r, policy.TokenTypes{policy.APIKey}, now)
	if got.Status != policy.SignedOut || got.Reason != policy.ReasonTokenType || !got.Presented {
		t.Errorf("%+v", got)
	}
	got = a.Authenticate(t.Context(), r, policy.TokenTypes{policy.AnyToken}, now)
	if got.Status != policy.Unavailable || got.Reason != policy.ReasonKeysUnavailable {
		t.Errorf("%+v", got)
	}
}

func TestAuthenticateSaysWhetherThereWasACredential(t *testing.T) {
	t.Parallel()
	a := testAuthenticator(t, Config{})
	for name, tt := range map[string]struct {
		fields []policy.Header
		want   bool
	}{
		"nothing":          {nil, false},
		"another scheme":   {sessiontest.Fields("Authorization", "Basic YTpi"), false},
		"an empty cookie":  {sessiontest.Fields("Cookie", "__session="), false},
		"a bad cookie":     {sessiontest.Fields("Cookie", "__session=x"), true},
		"a good cookie":    {sessiontest.Fields("Cookie", "__session="+mint.Token(t, nil)), true},
		"an empty bearer":  {sessiontest.Fields("Authorization", "Bearer"), true},
		"a client_uat":     {sessiontest.Fields("Cookie", "__client_uat=5"), false},
		"repeated headers": {sessiontest.Fields("Authorization", "Basic a", "Authorization", "Basic b"), true},
	} {
		if got := a.Authenticate(t.Context(), &policy.Request{Headers: tt.fields}, sessionsOnly, now); got.Presented != tt.want {
			t.Errorf("%s: %v", name, got.Presented)
		}
	}
}

func TestAuthenticatorKnowsItsInstance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                     string
		config                   Config
		issuer, frontend, signIn string
		issuers                  int
	}{
		{"an instance", Config{}, mint.Issuer, "clerk.example.com", "https://accounts.example.com/sign-in", 1},
		{"with its own page", Config{SignInURL: "/sign-in"}, mint.Issuer, "clerk.example.com", "/sign-in", 1},
		{"behind a proxy", Config{ProxyURL: "https://app.example.com/__clerk/"}, "https://app.example.com/__clerk", "https://app.example.com/__clerk/", "https://accounts.example.com/sign-in", 2},
		{"behind a proxy at a path", Config{ProxyURL: "/__clerk"}, mint.Issuer, "/__clerk", "https://accounts.example.com/sign-in", 2},
		{"a satellite", Config{Satellite: true, Domain: "sat.com", SignInURL: "https://example.com/in"}, "https://clerk.sat.com", "clerk.sat.com", "https://example.com/in", 2},
	}
	for _, tt := range tests {
		a := testAuthenticator(t, tt.config)
		if a.Issuer() != tt.issuer || a.FrontendAPI() != tt.frontend || a.Instance().SignInURL != tt.signIn || len(a.issuers()) != tt.issuers || !a.Ready() {
			t.Errorf("%s: %q, %q, %q, %q", tt.name, a.issuers(), a.FrontendAPI(), a.Instance().SignInURL, a.Instance().Origins)
		}
	}
}

func TestNewFindsTheKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config Config
		url    string
	}{
		"from the Backend API":  {Config{SecretKey: "sk_live_x"}, "https://api.clerk.com/v1/jwks"},
		"from another API":      {Config{SecretKey: "sk_live_x", APIURL: "http://localhost:4000/"}, "http://localhost:4000/v1/jwks"},
		"from the Frontend API": {Config{}, "https://clerk.example.com/.well-known/jwks.json"},
	} {
		tt.config.PublishableKey = mint.PublishableKey
		asked := ""
		a, err := New(tt.config, Options{HTTPClient: &http.Client{Transport: sessiontest.RoundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return nil, http.ErrHandlerTimeout
		})}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.remote.Key(t.Context(), mint.Kid, now); asked != tt.url || err == nil || a.Ready() {
			t.Errorf("%s: %q, %v", name, asked, err)
		}
		a.Close()
	}
}
