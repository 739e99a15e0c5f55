package browsertest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// scenarios are what people do with an app of a development instance.
var scenarios = map[string]struct {
	instance func(*clerktest.Options)
	walk     func(w *world)
}{
	"a first visit to a public page": {walk: func(w *world) {
		if a := w.reach(w.app + "/public"); a.Library.User != "" {
			w.t.Errorf("somebody is there: %+v", a.Library)
		}
	}},
	"signing in leads back to the page": {walk: func(w *world) {
		if a := w.signIn(w.app+"/dashboard?tab=1&q=a", "user_ada"); a.Library.User != "user_ada" || a.Library.Organization != "acme" {
			w.t.Errorf("signed in as %+v", a.Library)
		}
		if a := w.reach(w.app + "/public"); a.Library.User != "user_ada" {
			w.t.Errorf("a public page sees %+v", a.Library)
		}
	}},
	"an expired token is renewed by a handshake": {
		instance: func(o *clerktest.Options) { o.NoRefresh = true },
		walk: func(w *world) {
			a := w.signIn(w.app+"/dashboard", "user_sol")
			w.expire(w.app, a.Library.Session)
			const endpoint = "GET /v1/client/handshake"
			before := w.clerk.Calls(endpoint)
			again := w.reach(w.app + "/dashboard")
			if again.Library.User != "user_sol" || w.clerk.Calls(endpoint) != before+1 {
				w.t.Errorf("renewed with %d handshakes: %+v", w.clerk.Calls(endpoint)-before, again.Library)
			}
		},
	},
	"an expired token is renewed without leaving the page": {walk: func(w *world) {
		a := w.signIn(w.app+"/dashboard", "user_sol")
		w.expire(w.app, a.Library.Session)
		p := w.open(w.app + "/dashboard")
		if again := w.reached(w.app+"/dashboard", p); again.Library.User != "user_sol" || len(p.hops) > 1 {
			w.t.Errorf("renewed over %q: %+v", p.hops, again.Library)
		}
		w.reach(w.app + "/dashboard")
	}},
	"signing out": {walk: func(w *world) {
		w.signIn(w.app+"/dashboard", "user_ada")
		w.open(w.clerk.AccountURL() + "?redirect_url=" + w.app + "/public")
		if a := w.reached(w.app+"/public", w.press("leave")); a.Library.User != "" {
			w.t.Errorf("still there: %+v", a.Library)
		}
		if p := w.open(w.app + "/dashboard"); !strings.HasPrefix(p.url, w.clerk.SignInURL()+"?") {
			w.t.Errorf("the page leads to %s, %d", p.url, p.status)
		}
	}},
	"a session that is revoked ends with its token": {walk: func(w *world) {
		a := w.signIn(w.app+"/dashboard", "user_ada")
		w.clerk.RevokeSession(a.Library.Session)
		w.expire(w.app, a.Library.Session)
		if p := w.open(w.app + "/dashboard"); !strings.HasPrefix(p.url, w.clerk.SignInURL()+"?") || len(p.hops) > maxHops {
			w.t.Errorf("the page leads to %s, %d, after %d hops", p.url, p.status, len(p.hops))
		}
	}},
	"two organizations, by the path": {walk: func(w *world) {
		w.signIn(w.app+"/orgs/acme/x", "user_ada")
		for _, slug := range []string{"bolt", "acme"} {
			w.later()
			if a := w.reach(w.app + "/orgs/" + slug + "/x"); a.Library.Organization != slug {
				w.t.Errorf("%s shows %+v", slug, a.Library)
			}
		}
		if p := w.open(w.app + "/orgs/nobodys/x"); p.status != 403 || len(p.hops) > maxHops {
			w.t.Errorf("an organization of others: %d at %s after %d hops", p.status, p.url, len(p.hops))
		}
	}},
	"two organizations, by choice": {walk: func(w *world) {
		a := w.signIn(w.app+"/admin", "user_ada")
		w.open(w.clerk.AccountURL() + "?redirect_url=" + w.app + "/admin")
		if p := w.press("switch " + a.Library.Session + " bolt"); p.status != 403 {
			w.t.Errorf("no admin there, and %d at %s", p.status, p.url)
		}
		if a := w.reach(w.app + "/dashboard"); a.Library.Organization != "bolt" || a.Library.Role != "org:member" {
			w.t.Errorf("switched to %+v", a.Library)
		}
	}},
	"a satellite learns who is signed in": {walk: func(w *world) {
		w.signIn(w.app+"/dashboard", "user_max")
		p := w.open(w.satellite + "/dashboard")
		there, _, _ := strings.Cut(p.url, "?") // what was synced may stay in the query
		if a := w.reached(p.url, p); a.Library.User != "user_max" || there != w.satellite+"/dashboard" {
			w.t.Errorf("the satellite, at %s, sees %+v", p.url, a.Library)
		}
	}},
	"Clerk's clock is two minutes fast": {instance: clockOff(2 * time.Minute), walk: endsSomewhere},
	"Clerk's clock is two minutes slow": {instance: clockOff(-2 * time.Minute), walk: endsSomewhere},
}

func clockOff(by time.Duration) func(*clerktest.Options) {
	return func(o *clerktest.Options) { o.Now = func() time.Time { return time.Now().Add(by) } }
}

// endsSomewhere signs in where nothing can come of it: the browser must show a
// page in the end, and not be sent in circles.
func endsSomewhere(w *world) {
	for _, address := range []string{w.app + "/public", w.app + "/dashboard"} {
		if p := w.open(address); len(p.hops) > maxHops {
			w.t.Errorf("%s ends at %s, %d, after %d hops", address, p.url, p.status, len(p.hops))
		}
	}
	if p := w.open(w.clerk.SignInURL() + "?redirect_url=" + w.app + "/dashboard"); p.status != 200 {
		w.t.Fatalf("no sign-in page: %d", p.status)
	}
	if p := w.press("user_ada"); len(p.hops) > maxHops {
		w.t.Errorf("signing in ends at %s, %d, after %d hops", p.url, p.status, len(p.hops))
	}
}

func TestBrowsersWalkThroughTheGate(t *testing.T) {
	browser := startChromium(t, launch{})
	for _, edge := range slices.Sorted(maps.Keys(edges)) {
		t.Run(edge, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(scenarios)) {
				s := scenarios[name]
				t.Run(name, func(t *testing.T) {
					tb := openTab(t, browser, chromedp.WithNewBrowserContext())
					s.walk(newWorld(t, edges[edge], tb, s.instance))
				})
			}
		})
	}
}

// A browser that takes no cookies can be signed in by nobody, and must be told so
// rather than be sent in circles.
func TestABrowserWithoutCookiesIsNotSentInCircles(t *testing.T) {
	browser := startChromium(t, withoutCookies)
	for _, edge := range slices.Sorted(maps.Keys(edges)) {
		t.Run(edge, func(t *testing.T) {
			w := newWorld(t, edges[edge], openTab(t, browser), nil)
			endsSomewhere(w)
			if kept := w.cookies(w.app); len(kept) > 0 {
				t.Errorf("the browser took %d cookies", len(kept))
			}
		})
	}
}
