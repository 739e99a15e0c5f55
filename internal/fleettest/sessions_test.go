package fleettest

import (
	"net/http"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// post asks the session page of an edge, as a program with a session token does.
func (e *edge) post(t *testing.T, path, token string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.origin+"/__clerkgate/sessions"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := read(client.Do(r))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// theSessionPageSignsOutEverywhere: who ends a session at one edge ends it at
// all, whether or not Clerk's webhook ever arrives.
func theSessionPageSignsOutEverywhere(t *testing.T, f *fleet) {
	f.courier.goTo(nil)
	for _, e := range f.edges {
		for name, path := range map[string]func(here, other *person) string{
			"another device":  func(_, other *person) string { return "/" + other.session.ID + "/revoke" },
			"signing out":     func(_, _ *person) string { return "/sign-out" },
			"out of all":      func(_, _ *person) string { return "/sign-out-everywhere" },
			"one's own by id": func(here, _ *person) string { return "/" + here.session.ID + "/revoke" },
		} {
			here := f.signIn(t, "")
			s, err := f.clerk.SignIn(here.user.ID)
			must(t, err)
			other := &person{f.clerk, here.user, s}
			mine, theirs := here.token(), other.token()
			f.passes(t, "/", mine)
			f.passes(t, "/", theirs)
			began := time.Now()
			if a := e.post(t, path(here, other), mine); a.status != http.StatusOK {
				t.Fatalf("%s, %s: %d %s", e.name, name, a.status, a.reason)
			}
			answered := time.Now()
			if name == "another device" || name == "out of all" {
				f.refuse(t, answered, "/", theirs, policy.ReasonSessionRevoked)
			}
			if name != "another device" {
				f.refuse(t, answered, "/", mine, policy.ReasonSessionRevoked)
			} else {
				f.passes(t, "/", mine)
			}
			t.Logf("%s at %s: all three refuse after %v", name, e.name, time.Since(began).Round(time.Millisecond))
		}
	}
}
