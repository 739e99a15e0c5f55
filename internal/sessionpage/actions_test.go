package sessionpage

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/session"
)

func TestRevokeEndsASessionAtClerkAndThenAtTheEdge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari")
	answer := w.send("POST", DefaultPrefix+"/"+phone.ID+"/revoke", here, jsonAccept)
	if got := decode[Ended](t, answer); answer.Code != 200 || !cmp.Equal(got, Ended{Revoked: []string{phone.ID}}) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	want := []string{"GET /v1/sessions/" + phone.ID, "POST /v1/sessions/" + phone.ID + "/revoke", "edge " + phone.ID}
	if diff := cmp.Diff(want, w.api.calls()); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
	if len(answer.Header()["Set-Cookie"]) > 0 {
		t.Error("this browser lost its cookies")
	}
	again := w.send("POST", DefaultPrefix+"/"+phone.ID+"/revoke", here, browserAccept)
	if again.Code != 303 || again.Header().Get("Location") != DefaultPrefix+"?done=revoked" {
		t.Errorf("ending what has ended: %d %v", again.Code, again.Header())
	}
	if page := w.send("GET", DefaultPrefix+"?done=revoked", here, browserAccept).Body.String(); !strings.Contains(page, `role="status"`) {
		t.Error("the page does not say that it is done")
	}
	linked := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if page := w.send("GET", DefaultPrefix+"?done=revoked", here, browserAccept, linked).Body.String(); strings.Contains(page, `role="status"`) {
		t.Error("a link of another site makes the page say that something is done")
	}
}

// The same with a Clerk that listens, instead of one that is a function.
func TestTheLocalClerkEndsWhatThePageEnds(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Live: true, Origins: []string{origin}})
	w := newWorld(t, func(o *Options) {
		o.Clerk.PublishableKey, o.Clerk.SecretKey, o.Clerk.APIURL, o.HTTPClient = clerk.PublishableKey(), clerk.SecretKey(), clerk.URL(), nil
		authenticator, err := session.New(o.Clerk, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Authenticator = authenticator
	})
	w.clerk = clerk
	var all []*clerktest.Session
	for _, user := range []string{"user_ada", "user_ada", "user_ada", "user_max"} {
		s, err := clerk.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	statuses := func() (list []string) {
		for _, s := range all {
			list = append(list, clerk.Session(s.ID).Status)
		}
		return list
	}
	if got := decode[Listing](t, w.send("GET", DefaultPrefix, all[0], jsonAccept)); len(got.Sessions) != 3 || !got.Sessions[0].Current {
		t.Errorf("listed %+v", got.Sessions)
	}
	for _, c := range []struct {
		path string
		code int
		want []string
	}{
		{"/" + all[3].ID + "/revoke", 404, []string{"active", "active", "active", "active"}},
		{"/" + all[1].ID + "/revoke", 200, []string{"active", "revoked", "active", "active"}},
		{"/" + all[1].ID + "/revoke", 200, []string{"active", "revoked", "active", "active"}},
		{"/sign-out-everywhere", 200, []string{"revoked", "revoked", "revoked", "active"}},
	} {
		answer := w.send("POST", DefaultPrefix+c.path, all[0], jsonAccept)
		if got := statuses(); answer.Code != c.code || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d %s, and then %q", c.path, answer.Code, answer.Body, got)
		}
	}
}

func TestNobodyEndsTheSessionOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, stranger := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_max", "Firefox")
	for _, id := range []string{stranger.ID, "sess_nobody"} {
		answer := w.send("POST", DefaultPrefix+"/"+id+"/revoke", here, jsonAccept)
		if p := decode[problem](t, answer); answer.Code != 404 || p.Reason != "session-not-found" || strings.Contains(answer.Body.String(), id) {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		if want := []string{"GET /v1/sessions/" + id}; !cmp.Equal(w.api.calls(), want) {
			t.Errorf("happened: %q", w.api.calls())
		}
		w.api.happened = nil
	}
}

func TestSignOutClearsTheCookiesOfThisInstance(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"sign out": "/sign-out", "revoke oneself": "/{id}/revoke", "everywhere": "/sign-out-everywhere"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			here := w.signIn(t, "user_ada", "Chrome")
			answer := w.send("POST", DefaultPrefix+strings.Replace(path, "{id}", here.ID, 1), here, browserAccept)
			if answer.Code != 303 || answer.Header().Get("Location") != DefaultPrefix+"/signed-out" {
				t.Fatalf("%d %v", answer.Code, answer.Header())
			}
			var cleared []string
			for _, c := range answer.Result().Cookies() {
				if c.Name == "__Host-clerkgate-out" && c.MaxAge == 60 && c.HttpOnly && c.Secure { // see forgetPages
					continue
				}
				if c.MaxAge >= 0 || c.Value != "" || c.Path != "/" || !c.Secure || c.SameSite != http.SameSiteLaxMode {
					t.Errorf("%v does not clear", c)
				}
				cleared = append(cleared, c.Name+" "+c.Domain)
			}
			for _, base := range []string{"__session", "__client_uat", "__refresh"} {
				for _, want := range []string{base + " ", base + " example.com"} {
					if !slices.Contains(cleared, want) {
						t.Errorf("%q is not cleared", want)
					}
				}
			}
			if len(cleared) != 12 {
				t.Errorf("cleared %q", cleared)
			}
			if !slices.Contains(w.api.calls(), "edge "+here.ID) {
				t.Errorf("happened: %q", w.api.calls())
			}
			if page := w.send("GET", DefaultPrefix+"/signed-out", nil, browserAccept); page.Code != 200 || !strings.Contains(page.Body.String(), "You are signed out") {
				t.Errorf("%d %s", page.Code, page.Body)
			}
		})
	}
}

func TestSigningOutOfASessionThatClerkForgotEndsItHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s, err := w.clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	answer := w.send("POST", DefaultPrefix+"/sign-out", s, jsonAccept)
	if calls := w.api.calls(); answer.Code != 200 || calls[len(calls)-1] != "edge "+s.ID || len(answer.Header()["Set-Cookie"]) == 0 {
		t.Errorf("%d %s, and happened: %q", answer.Code, answer.Body, calls)
	}
}

func TestCookiesAreClearedForTheRegistrableDomain(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"app.example.com": "example.com", "a.b.example.co.uk:8443": "example.co.uk", "EXAMPLE.com.": "example.com",
		"localhost:3000": "", "127.0.0.1:80": "", "[::1]:80": "", "co.uk": "", "": "", "app.github.io": "app.github.io",
	} {
		if got := registrable(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestSignOutEverywhereEndsOnesOwnSessionLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone, tablet, stranger := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari"), w.signIn(t, "user_ada", "Edge"), w.signIn(t, "user_max", "Firefox")
	answer := w.send("POST", DefaultPrefix+"/sign-out-everywhere", here, jsonAccept)
	got := decode[Ended](t, answer)
	if want := (Ended{Revoked: []string{phone.ID, tablet.ID, here.ID}, SignedOut: true}); answer.Code != 200 || !cmp.Equal(got, want) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	calls := w.api.calls()
	if calls[len(calls)-1] != "edge "+here.ID || slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, stranger.ID) }) {
		t.Errorf("happened: %q", calls)
	}
	if w.api.find(stranger.ID)["status"] != "active" {
		t.Error("somebody else is signed out as well")
	}
}

func TestSignOutEverywhereEndsMoreThanOneAnswerHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here := w.signIn(t, "user_ada", "Chrome")
	for range pageSize + 20 {
		w.signIn(t, "user_ada", "Bot")
	}
	answer := w.send("POST", DefaultPrefix+"/sign-out-everywhere", here, jsonAccept)
	if got := decode[Ended](t, answer); answer.Code != 200 || len(got.Revoked) != pageSize+21 {
		t.Errorf("%d, ended %d", answer.Code, len(got.Revoked))
	}
}

func TestAFailureHalfwayNamesWhatHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone, tablet := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari"), w.signIn(t, "user_ada", "Edge")
	w.api.fails, w.api.status = tablet.ID+"/revoke", 500
	answer := w.send("POST", DefaultPrefix+"/sign-out-everywhere", here, jsonAccept)
	if p := decode[problem](t, answer); answer.Code != 503 || !cmp.Equal(p.Revoked, []string{phone.ID}) || p.Reason != "clerk-unavailable" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if w.api.find(here.ID)["status"] != "active" || len(answer.Header()["Set-Cookie"]) > 0 {
		t.Error("this session ended though others go on")
	}
}

func TestAnEdgeThatCannotBeToldIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	here, phone := w.signIn(t, "user_ada", "Chrome"), w.signIn(t, "user_ada", "Safari")
	w.edge.fail = errors.New("the store is away")
	answer := w.send("POST", DefaultPrefix+"/"+phone.ID+"/revoke", here, jsonAccept)
	if p := decode[problem](t, answer); answer.Code != 503 || p.Reason != "revocation-unavailable" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	w.edge.fail = nil
	if answer = w.send("POST", DefaultPrefix+"/"+phone.ID+"/revoke", here, jsonAccept); answer.Code != 200 {
		t.Errorf("trying again: %d %s", answer.Code, answer.Body)
	}
}
