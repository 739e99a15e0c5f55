package clerkapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

func TestTokensAsksOnceWhileATokenCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sessiontest.Scripted{}
		now := time.Now()
		token := mint.Template(t, now.Add(time.Minute), nil)
		b.Make(token, time.Second)
		tokens := testTokens(t, b)
		get := func(when string) {
			if got, reason, err := tokens.Token(t.Context(), asker, "hasura", time.Now()); got != token || reason != "" || err != nil {
				t.Errorf("%s: %q, %s, %v", when, got, reason, err)
			}
		}
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() { get("at once") })
		}
		waiting.Wait()
		b.ExpectCalls(t, 1, "for twenty at once")
		if got := b.Last.Header.Get("Authorization"); got != "Bearer sk_live_canary" || b.Last.URL.String() != "https://api.clerk.com/v1/sessions/sess_a/tokens/hasura" {
			t.Errorf("asked %s with %q", b.Last.URL, got)
		}
		time.Sleep(time.Until(now.Add(49 * time.Second)))
		get("while it counts")
		b.ExpectCalls(t, 0, "while it counts")
		time.Sleep(2 * time.Second)
		token = mint.Template(t, time.Now().Add(time.Minute), object{"n": 2})
		b.Make(token, 0)
		get("shortly before it expires")
		b.ExpectCalls(t, 1, "shortly before it expires")
	})
}

func TestTokensKeepsEachForAsLongAsItCounts(t *testing.T) {
	t.Parallel()
	key := tokenKey{session: "sess_a", user: "user_a", template: "hasura"}
	for lifetime, want := range map[time.Duration]time.Duration{
		time.Minute: 50 * time.Second, 30 * time.Second: 20 * time.Second,
		11 * time.Second: time.Second, 5 * time.Second: time.Second, time.Second: time.Second,
		time.Hour: 5 * time.Minute, 10 * 365 * 24 * time.Hour: 5 * time.Minute,
	} {
		if got := key.accept(mint.Template(t, now.Add(lifetime), nil), now); got.until != now.Add(want) {
			t.Errorf("of %s: kept for %s, want %s", lifetime, got.until.Sub(now), want)
		}
	}
}

func TestTokensAreToldApart(t *testing.T) {
	t.Parallel()
	b := &sessiontest.Scripted{}
	b.Make(mint.Template(t, now.Add(time.Minute), nil), 0)
	tokens := testTokens(t, b)
	for range 2 {
		for _, ask := range []struct {
			session, org, template string
		}{{"sess_a", "", "a"}, {"sess_b", "", "a"}, {"sess_a", "org_a", "a"}, {"sess_a", "org_b", "a"}, {"sess_a", "", "b"}} {
			p := &policy.Principal{UserID: "user_a", SessionID: ask.session, OrgID: ask.org}
			if _, reason, err := tokens.Token(t.Context(), p, ask.template, now); reason != "" {
				t.Errorf("%v: %s, %v", ask, reason, err)
			}
		}
	}
	b.ExpectCalls(t, 5, "for five that differ in session, organization or template")
}

// What a session may is part of what a token is made for.
func TestTokensFollowWhatASessionMay(t *testing.T) {
	t.Parallel()
	base := func() *policy.Principal {
		return &policy.Principal{
			TokenType: policy.SessionToken, UserID: "user_a", SessionID: "sess_a", OrgID: "org_a", OrgSlug: "a", OrgRole: "org:admin", OrgPermissions: []string{"org:docs:read"},
			Features: policy.ParseEntitlements("o:docs"), Plans: policy.ParseEntitlements("o:pro"),
		}
	}
	for name, change := range map[string]func(*policy.Principal){
		"role":            func(p *policy.Principal) { p.OrgRole = "org:member" },
		"no role":         func(p *policy.Principal) { p.OrgRole = "" },
		"organization":    func(p *policy.Principal) { p.OrgID = "org_b" },
		"slug":            func(p *policy.Principal) { p.OrgSlug = "b" },
		"permissions":     func(p *policy.Principal) { p.OrgPermissions = nil },
		"more of them":    func(p *policy.Principal) { p.OrgPermissions = append(p.OrgPermissions, "org:docs:write") },
		"features":        func(p *policy.Principal) { p.Features = policy.ParseEntitlements("u:docs") },
		"plans":           func(p *policy.Principal) { p.Plans = policy.ParseEntitlements("o:free") },
		"a malformed one": func(p *policy.Principal) { p.Plans = policy.ParseEntitlements("o:pro,x") },
		"an actor":        func(p *policy.Principal) { p.Actor = "user_b" },
	} {
		b := &sessiontest.Scripted{}
		b.Make(mint.Template(t, now.Add(time.Hour), nil), 0)
		tokens := testTokens(t, b)
		get := func(p *policy.Principal) {
			if _, reason, err := tokens.Token(t.Context(), p, "hasura", now); reason != "" {
				t.Errorf("%s: %s, %v", name, reason, err)
			}
		}
		get(base())
		get(base())
		b.ExpectCalls(t, 1, "for two tokens of a session that say the same")
		changed := base()
		change(changed)
		get(changed)
		b.ExpectCalls(t, 1, "after a change of "+name)
	}
}

// Whatever Clerk does, there is no token or a good one, and nothing of an answer
// or a key is in the cause.
func TestTokensFailsClosed(t *testing.T) {
	good := mint.Template(t, time.Now().Add(100*365*24*time.Hour), nil)
	active := sessiontest.Reply{Status: http.StatusOK, Body: `{"id":"sess_a","status":"active"}`}
	sessionIs := func(status string) sessiontest.Reply {
		return sessiontest.Reply{Status: http.StatusOK, Body: fmt.Sprintf(`{"id":"sess_a","status":%q}`, status)}
	}
	for name, c := range map[string]struct {
		token, session sessiontest.Reply
		want           policy.Reason
		calls          int
	}{
		"500":                            {sessiontest.Failure(500), active, policy.ReasonClerkUnavailable, 1},
		"429":                            {sessiontest.Failure(429), active, policy.ReasonClerkUnavailable, 1},
		"401: the secret key is wrong":   {sessiontest.Failure(401), active, policy.ReasonClerkUnavailable, 1},
		"404: there is no such template": {sessiontest.Failure(404), active, policy.ReasonClerkUnavailable, 2},
		"404: there is no such session":  {sessiontest.Failure(404), sessiontest.Failure(404), policy.ReasonSessionRevoked, 2},
		"404: the session was revoked":   {sessiontest.Failure(404), sessionIs("revoked"), policy.ReasonSessionRevoked, 2},
		"422: the session has ended":     {sessiontest.Failure(422), sessionIs("ended"), policy.ReasonSessionRevoked, 2},
		"400: the session has tasks":     {sessiontest.Failure(400), sessionIs("pending"), policy.ReasonSessionPending, 2},
		"404, and then nothing":          {sessiontest.Failure(404), sessiontest.Failure(502), policy.ReasonClerkUnavailable, 2},
		"404, and then another session":  {sessiontest.Failure(404), sessiontest.Reply{Status: http.StatusOK, Body: `{"id":"sess_b","status":"ended"}`}, policy.ReasonClerkUnavailable, 2},
		"502 with a page":                {sessiontest.Reply{Status: 502, Body: "<html>canary page"}, active, policy.ReasonClerkUnavailable, 1},
		"a redirect":                     {sessiontest.Reply{Status: 302, Header: http.Header{"Location": {"https://canary.example.com"}}}, active, policy.ReasonClerkUnavailable, 1},
		"garbage":                        {sessiontest.Reply{Status: 200, Body: "canary"}, active, policy.ReasonClerkUnavailable, 1},
		"nothing":                        {sessiontest.Reply{Status: 200}, active, policy.ReasonClerkUnavailable, 1},
		"no token":                       {sessiontest.Reply{Status: 200, Body: `{"object":"token"}`}, active, policy.ReasonClerkUnavailable, 1},
		"something like a token":         {sessiontest.Made("canary.canary.canary"), active, policy.ReasonClerkUnavailable, 1},
		"two lines":                      {sessiontest.Made(good + "\r\nX-Role: canary"), active, policy.ReasonClerkUnavailable, 1},
		"a huge token":                   {sessiontest.Made(good + strings.Repeat("A", maxTemplateToken)), active, policy.ReasonClerkUnavailable, 1},
		"a huge answer":                  {sessiontest.Reply{Status: 200, Body: `{"jwt":"` + strings.Repeat("A", calls.MaxBody) + `"}`}, active, policy.ReasonClerkUnavailable, 1},
		"an expired token":               {sessiontest.Made(mint.Template(t, time.Unix(1, 0), nil)), active, policy.ReasonClerkUnavailable, 1},
		"a token for ever":               {sessiontest.Made(mint.Template(t, now, object{"exp": nil})), active, policy.ReasonClerkUnavailable, 1},
		"another user's":                 {sessiontest.Made(mint.Template(t, time.Now().Add(100*365*24*time.Hour), object{"sub": "user_canary"})), active, policy.ReasonClerkUnavailable, 1},
		"another organization's":         {sessiontest.Made(mint.Template(t, time.Now().Add(100*365*24*time.Hour), object{"org_id": "org_canary"})), active, policy.ReasonOrganizationRequired, 1},
		"another organization's, short":  {sessiontest.Made(mint.Template(t, time.Now().Add(100*365*24*time.Hour), object{"o": object{"id": "org_canary"}})), active, policy.ReasonOrganizationRequired, 1},
		"no connection":                  {sessiontest.Reply{Err: errors.New("canary: refused")}, active, policy.ReasonClerkUnavailable, 1},
		"no answer":                      {sessiontest.Reply{Delay: time.Hour}, active, policy.ReasonClerkUnavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &sessiontest.Scripted{Token: c.token, Session: c.session}
				tokens := testTokens(t, b)
				for range 2 {
					token, reason, cause := tokens.Token(t.Context(), asker, "hasura", time.Now())
					if token != "" || reason != c.want || cause == nil {
						t.Fatalf("%q, %s, %v; want %s", token, reason, cause, c.want)
					}
					if text := cause.Error(); strings.Contains(text, "canary") || strings.Contains(text, good) {
						t.Errorf("the cause tells too much: %s", text)
					}
				}
				b.ExpectCalls(t, c.calls, "for two requests within a second")
				b.Make(good, 0)
				b.Token.Delay = 0
				time.Sleep(3 * time.Minute)
				if token, reason, cause := tokens.Token(t.Context(), asker, "hasura", time.Now()); token != good {
					t.Errorf("once Clerk is well: %s, %v", reason, cause)
				}
			})
		})
	}
}

func TestTokensOfTheActiveOrganizationAreTaken(t *testing.T) {
	t.Parallel()
	key := tokenKey{session: "sess_a", user: "user_a", org: "org_a", template: "hasura"}
	for _, claims := range []object{{"org_id": "org_a"}, {"o": object{"id": "org_a"}}, {"org_id": "acme"}, {"org_id": ""}, {"o": "none"}, {}} {
		if got := key.accept(mint.Template(t, now.Add(time.Minute), claims), now); got.token == "" {
			t.Errorf("%v: %s, %v", claims, got.reason, got.cause)
		}
	}
}

func TestTokensLeavesClerkAloneForAsLongAsItAsks(t *testing.T) {
	for after, quiet := range map[string]time.Duration{"7": 7 * time.Second, "": time.Second, "0": time.Second, "86400": 30 * time.Second, "99999999999": 30 * time.Second, "soon": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := &sessiontest.Scripted{}
			busy := sessiontest.Failure(429)
			busy.Header = http.Header{"Retry-After": {after}}
			b.AnswerWith(busy, 0)
			tokens := testTokens(t, b)
			ask := func(session string) policy.Reason {
				_, reason, _ := tokens.Token(t.Context(), &policy.Principal{UserID: "user_a", SessionID: session}, "hasura", time.Now())
				return reason
			}
			if got := ask("sess_a"); got != policy.ReasonClerkUnavailable {
				t.Errorf("%q: %s", after, got)
			}
			b.Make(mint.Template(t, time.Now().Add(time.Hour), nil), 0)
			time.Sleep(quiet - time.Nanosecond)
			if got := ask("sess_b"); got != policy.ReasonClerkUnavailable {
				t.Errorf("%q: another session is asked about too soon: %s", after, got)
			}
			b.ExpectCalls(t, 1, "while Clerk wants to be left alone")
			time.Sleep(keepFailure)
			if got := ask("sess_b"); got != "" {
				t.Errorf("%q: %s", after, got)
			}
		})
	}
}

func TestTokensLetsTheImpatientGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sessiontest.Scripted{}
		token := mint.Template(t, time.Now().Add(time.Hour), nil)
		b.Make(token, 2*time.Second)
		tokens := testTokens(t, b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, reason, err := tokens.Token(ctx, asker, "hasura", time.Now()); reason != policy.ReasonClerkUnavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient got %s, %v", reason, err)
		}
		if got, reason, err := tokens.Token(t.Context(), asker, "hasura", time.Now()); got != token {
			t.Errorf("%s, %v", reason, err)
		}
		b.ExpectCalls(t, 1, "for one who left and one who stayed")
	})
}

func TestTokensBoundsTheCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sessiontest.Scripted{}
		b.Make(mint.Template(t, time.Now().Add(time.Hour), nil), time.Second)
		tokens := testTokens(t, b)
		var waiting sync.WaitGroup
		var failed sync.Map
		for i := range 4 * calls.MaxKnown {
			waiting.Go(func() {
				p := &policy.Principal{UserID: "user_a", SessionID: fmt.Sprintf("sess_%d", i)}
				if _, reason, _ := tokens.Token(t.Context(), p, "hasura", time.Now()); reason != "" {
					failed.Store(i, reason)
				}
			})
		}
		waiting.Wait()
		if b.Most != calls.MaxKnown {
			t.Errorf("%d calls at once, want %d", b.Most, calls.MaxKnown)
		}
		n := 0
		failed.Range(func(_, reason any) bool {
			n++
			return reason == policy.ReasonClerkUnavailable
		})
		if n > 2*calls.MaxKnown {
			t.Errorf("%d of %d were refused", n, 4*calls.MaxKnown)
		}
	})
}

func TestTokensBoundsWhatItKeeps(t *testing.T) {
	t.Parallel()
	b := &sessiontest.Scripted{}
	b.Make(mint.Template(t, now.Add(time.Hour), object{"fill": strings.Repeat("x", 5<<10)}), 0)
	tokens := testTokens(t, b)
	for i := range 6000 { // 40 MiB and more
		p := &policy.Principal{UserID: "user_a", SessionID: fmt.Sprintf("sess_%d", i)}
		if _, reason, err := tokens.Token(t.Context(), p, "hasura", now); reason != "" {
			t.Fatalf("%s, %v", reason, err)
		}
	}
	tokens.known.CleanUp()
	if size := tokens.known.WeightedSize(); size > maxTemplateTokens || size == 0 {
		t.Errorf("%d bytes are kept, want at most %d", size, maxTemplateTokens)
	}
}

func TestTokensRefusesIDsThatCouldNameSomethingElse(t *testing.T) {
	t.Parallel()
	b := &sessiontest.Scripted{}
	tokens := testTokens(t, b)
	for _, id := range []string{"", "sess_", "user_1", "../users/user_1", "sess_a/../../users", "sess_a?b=c", "sess_a\n", "sess_" + strings.Repeat("a", 200)} {
		if _, reason, err := tokens.Token(t.Context(), &policy.Principal{UserID: "user_a", SessionID: id}, "hasura", now); reason != policy.ReasonClerkUnavailable || err == nil {
			t.Errorf("%q: %s, %v", id, reason, err)
		}
	}
	b.ExpectCalls(t, 0, "for what is no session")
}

func TestTokensNeedsTheSecretKey(t *testing.T) {
	t.Parallel()
	if _, err := NewTokens(Access{URL: "https://api.clerk.com"}); err == nil {
		t.Error("there is no key to ask with")
	}
	if _, err := NewTokens(Access{URL: "http://api.example.com", SecretKey: "sk_live_x"}); err == nil {
		t.Error("the secret key would go unencrypted")
	}
}

// FuzzTemplateToken states that what is sent upstream is a token of the user
// that has not expired and stays on its line.
func FuzzTemplateToken(f *testing.F) {
	for _, seed := range []string{mint.Template(f, now.Add(time.Minute), nil), mint.Template(f, now, nil), "a.b.c", "..", "", mint.Template(f, now.Add(time.Minute), object{"org_id": "org_b"})} {
		f.Add(seed)
	}
	key := tokenKey{session: "sess_a", user: "user_a", org: "org_a", template: "hasura"}
	f.Fuzz(func(t *testing.T, text string) {
		got := key.accept(text, now)
		if (got.token == "") != (got.reason != "" && got.cause != nil) {
			t.Fatalf("%q: %+v", text, got)
		}
		if got.token == "" {
			return
		}
		parts := strings.Split(got.token, ".")
		if len(parts) != 3 || strings.Trim(got.token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			t.Fatalf("%q is sent", got.token)
		}
		payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
		var claims struct {
			Sub string  `json:"sub"`
			Exp float64 `json:"exp"`
		}
		if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Sub != "user_a" || !got.until.After(now) || float64(got.until.Unix()) > claims.Exp {
			t.Errorf("%q is sent until %s: %+v", got.token, got.until, claims)
		}
	})
}

// The warm path makes no call.
func BenchmarkTokensWarm(b *testing.B) {
	api := &sessiontest.Scripted{}
	api.Make(mint.Template(b, now.Add(time.Hour), nil), 0)
	tokens := testTokens(b, api)
	b.ReportAllocs()
	for b.Loop() {
		if token, _, err := tokens.Token(b.Context(), asker, "hasura", now); token == "" {
			b.Fatal(err)
		}
	}
	if calls := api.TakeCalls(); len(calls) > 1 {
		b.Errorf("%d calls", len(calls))
	}
}
