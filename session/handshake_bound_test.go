package session

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// answerFor is a signed answer that signs a user in.
func answerFor(t *testing.T, user string) string {
	t.Helper()
	token := mint.Token(t, object{"sub": user, "sid": "sess_of" + user})
	return sessiontest.HandshakeAnswer(t, object{"iat": now.Unix(), "handshake": []string{"__session=" + token + "; Path=/"}})
}

// setCookies are the cookies that an answer sets, by their names.
func setCookies(state policy.AuthState) map[string]string {
	set := map[string]string{}
	for _, h := range state.Headers {
		if h.Name == "Set-Cookie" {
			name, value, _ := strings.Cut(h.Value, "=")
			set[name] = value
		}
	}
	return set
}

// Whatever answer is planted, wherever it stands: without having been sent nobody
// becomes the one that it names, and a session that holds goes on.
func TestAnAnswerThatNobodyAskedForChangesNobody(t *testing.T) {
	t.Parallel()
	own := mint.Token(t, nil)
	planted := answerFor(t, "user_mallory")
	nonces := answerOf(nonceFor, http.StatusOK, object{"directives": []string{"__session=" + mint.Token(t, object{"sub": "user_mallory"}) + "; Path=/"}})
	answers := map[string][2]string{ // query and cookie
		"a cookie":            {"", "__clerk_handshake=" + planted},
		"a nonce in a cookie": {"", "__clerk_handshake_nonce=n1"},
		"both":                {"", "__clerk_handshake_nonce=n1; __clerk_handshake=" + planted},
		"a link":              {"?__clerk_handshake=" + planted, ""},
		"a nonce in a link":   {"?__clerk_handshake_nonce=n1", ""},
		"a link and a cookie": {"?__clerk_handshake=" + planted, "__clerk_handshake=" + planted},
	}
	sessions := map[string]string{
		"a session that holds":   signedInCookies(own),
		"an expired session":     signedInCookies(mint.Token(t, object{"exp": now.Unix() - 60})),
		"a session without uat":  "__session=" + own,
		"only a uat":             "__client_uat=5",
		"the other cookie":       browser.SentPlainCookie + "=1; __client_uat=0",
		"an empty one":           browser.SentCookie + "=; __client_uat=0",
		"after many handshakes":  browser.CountCookie + "=3; __client_uat=0",
		"a sibling's look-alike": "__Host-clerkgate-handshake-=1; __host-clerkgate-handshake=1; __client_uat=0",
	}
	for _, key := range []string{mint.PublishableKey, developmentKey} {
		for where, answer := range answers {
			for who, cookies := range sessions {
				t.Run(key[:7]+" "+where+" with "+who, func(t *testing.T) {
					t.Parallel()
					b := newBrowser(t, Config{PublishableKey: key, Issuer: policy.StringList{mint.Issuer}}, nonces)
					got := b.load(t, sessiontest.Navigation("/"+answer[0], "__clerk_db_jwt=d; "+cookies+"; "+answer[1]))
					if got.Principal != nil && got.Principal.UserID != "user_2member" {
						t.Errorf("signed in as %s", got.Principal.UserID)
					}
					for name := range setCookies(got) {
						if strings.HasPrefix(name, "__session") {
							t.Errorf("%s is set", name)
						}
					}
					if n := len(b.backend.Asked(nonceFor)); n > 0 {
						t.Errorf("%d nonces were exchanged", n)
					}
				})
			}
		}
	}
	b := newBrowser(t, Config{})
	if got := b.load(t, sessiontest.Navigation("/", signedInCookies(own)+"; __clerk_handshake="+planted)); got.Status != policy.SignedIn || got.Principal.UserID != "user_2member" {
		t.Errorf("beside a planted answer: %+v", got)
	}
}

// Who is sent gets a cookie that nobody else can give, and who comes back with it
// and an answer gets in, once.
func TestAnAnswerCountsOnceWhereTheBrowserWasSent(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	went := b.load(t, sessiontest.Navigation("/", "__client_uat=5"))
	if value := setCookies(went)[browser.SentCookie]; went.Status != policy.Handshake || value != "1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=300" {
		t.Fatalf("%+v", went)
	}
	back := sessiontest.Navigation("/", "__client_uat=5; "+sessiontest.Sent+"; __clerk_handshake="+answerFor(t, "user_ada"))
	got := b.load(t, back)
	if got.Status != policy.SignedIn || got.Principal.UserID != "user_ada" {
		t.Fatalf("%+v", got)
	}
	if value := setCookies(got)[browser.SentCookie]; !strings.HasSuffix(value, "Max-Age=0") {
		t.Errorf("the cookie stays: %q", value)
	}
	if strings.Contains(got.Forward.Cookie, "clerkgate-handshake") {
		t.Errorf("the upstream receives %q", got.Forward.Cookie)
	}
	if again := b.load(t, back); again.Status != policy.Handshake || again.Reason != policy.ReasonHandshakeUnasked || again.Principal != nil {
		t.Errorf("the second time: %+v", again)
	}
}

// Answers of one second that sign nobody in may be the same: for two tabs, or
// before signing in and after signing out. Each of them counts.
func TestAnAnswerThatSignsOutCountsAsOftenAsItComes(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	gone := sessiontest.HandshakeAnswer(t, object{"iat": now.Unix(), "handshake": []string{"__session=; Path=/; Max-Age=0", "__client_uat=0; Path=/"}})
	for who, cookies := range []string{"__client_uat=5", "__client_uat=5", signedInCookies(mint.Token(t, nil))} {
		got := b.load(t, sessiontest.Navigation("/", cookies+"; "+sessiontest.Sent+"; __clerk_handshake="+gone))
		if got.Status != policy.SignedOut || setCookies(got)["__client_uat"] != "0; Path=/" {
			t.Errorf("browser %d: %v for %s", who, got.Status, got.Reason)
		}
	}
}

// Who was sent and comes back with two answers has one that somebody planted.
func TestTwoAnswersAreNone(t *testing.T) {
	t.Parallel()
	planted, own := answerFor(t, "user_mallory"), answerFor(t, "user_ada")
	for _, cookies := range []string{
		"__clerk_handshake=" + planted + "; __clerk_handshake=" + own, "__clerk_handshake=" + own + "; __clerk_handshake=" + planted,
		"__clerk_handshake=; __clerk_handshake=" + planted + "; __clerk_handshake=" + own, "__clerk_handshake_nonce=a; __clerk_handshake_nonce=b",
	} {
		if got := newBrowser(t, Config{}).load(t, sessiontest.Navigation("/", sessiontest.Sent+"; "+cookies)); got.Status != policy.Handshake && got.Status != policy.SignedOut {
			t.Errorf("%q: %+v", cookies, got)
		}
	}
}

// An answer for somebody else takes no session's place, but where the browser's
// own cookies say that the session is over.
func TestAnAnswerForAnotherUserIsAConflict(t *testing.T) {
	t.Parallel()
	answer := "; " + sessiontest.Sent + "; __clerk_handshake=" + answerFor(t, "user_max")
	held := newBrowser(t, Config{}).load(t, sessiontest.Navigation("/", signedInCookies(mint.Token(t, nil))+answer))
	if held.Reason != policy.ReasonSessionConflict || held.Principal != nil || setCookies(held)["__session"] != "" {
		t.Errorf("beside a session that holds: %+v", held)
	}
	over := newBrowser(t, Config{}).load(t, sessiontest.Navigation("/", "__session="+mint.Token(t, object{"iat": now.Unix() - 30})+"; __client_uat=1750000000"+answer))
	if over.Status != policy.SignedIn || over.Principal.UserID != "user_max" {
		t.Errorf("beside a session that is over: %+v", over)
	}
	same := newBrowser(t, Config{}).load(t, sessiontest.Navigation("/", signedInCookies(mint.Token(t, nil))+"; "+sessiontest.Sent+"; __clerk_handshake="+answerFor(t, "user_2member")))
	if same.Status != policy.SignedIn {
		t.Errorf("for the same user: %+v", same)
	}
}

// Two tabs that are sent at once both end well, whichever comes back first.
func TestTabsThatAreSentAtOnce(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, Config{})
	cookies := map[string]string{"__client_uat": "5"}
	field := func() string {
		var pairs []string
		for name, value := range cookies {
			pairs = append(pairs, name+"="+value)
		}
		slices.Sort(pairs)
		return strings.Join(pairs, "; ")
	}
	visit := func(target string) policy.AuthState {
		got := b.load(t, sessiontest.Navigation(target, field()))
		for name, value := range setCookies(got) {
			value, attributes, _ := strings.Cut(value, ";")
			if cookies[name] = value; strings.HasSuffix(attributes, "Max-Age=0") {
				delete(cookies, name)
			}
		}
		return got
	}
	first, second := visit("/a"), visit("/b")
	if first.Status != policy.Handshake || second.Status != policy.Handshake {
		t.Fatalf("%+v, %+v", first, second)
	}
	for _, tab := range []string{"/b", "/a"} {
		cookies["__clerk_handshake"] = answerFor(t, "user_ada")
		got := visit(tab)
		if got.Status != policy.SignedIn || got.Principal.UserID != "user_ada" {
			t.Errorf("%s: %v for %s", tab, got.Status, got.Reason)
		}
	}
}

// A development server has no https, and may meet browsers that take no cookies:
// they are not sent in circles, and nothing is planted.
func TestAnswersInDevelopment(t *testing.T) {
	t.Parallel()
	dev := Config{PublishableKey: developmentKey, AuthorizedParties: policy.StringList{"http://localhost:3000"}, Issuer: policy.StringList{mint.Issuer, "https://foo-bar-13.clerk.accounts.dev"}}
	load := func(b *testBrowser, target, cookies string) policy.AuthState {
		r := sessiontest.Navigation(target, cookies)
		r.Scheme, r.Host = "http", "localhost:3000"
		return b.load(t, r)
	}
	azp := object{"azp": "http://localhost:3000", "sub": "user_ada"}
	answers := 0
	answer := func() string {
		answers++
		return "/?__clerk_handshake=" + sessiontest.HandshakeAnswer(t, object{"iat": now.Unix(), "jti": answers, "handshake": []string{"__session=" + mint.Token(t, azp) + "; Path=/"}})
	}
	b := newBrowser(t, dev)
	if went := load(b, "/", ""); setCookies(went)[browser.SentPlainCookie] != "1; Path=/; HttpOnly; SameSite=Lax; Max-Age=300" {
		t.Errorf("%+v", went)
	}
	if got := load(b, answer(), "__clerk_db_jwt=d; __clerk_redirect_count=1; "+browser.SentPlainCookie+"=1"); got.Status != policy.SignedIn || setCookies(got)["__session"] == "" || sessiontest.HeaderOf(got.Headers, "Location") != "http://localhost:3000/" {
		t.Errorf("who was sent: %+v", got)
	}
	if got := load(b, answer(), "__clerk_db_jwt=d"); got.Status != policy.Handshake || got.Reason != policy.ReasonHandshakeUnasked {
		t.Errorf("who was not: %+v", got)
	}
	blocked := answer()
	if got := load(b, blocked, ""); got.Status != policy.SignedIn || len(setCookies(got)) > 0 || sessiontest.HeaderOf(got.Headers, "Location") != "" {
		t.Errorf("who takes no cookies: %+v", got)
	}
	if got := load(b, blocked, ""); got.Status != policy.Handshake {
		t.Errorf("who takes no cookies, again: %+v", got)
	}
	if got := load(b, answer(), "__clerk_db_jwt=d; "+signedInCookies(mint.Token(t, object{"azp": "http://localhost:3000", "iss": "https://foo-bar-13.clerk.accounts.dev"}))); got.Principal != nil || sessiontest.HeaderOf(got.Headers, "Location") != "http://localhost:3000/" {
		t.Errorf("who has a session: %+v", got)
	}
}
