package fleettest

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// happening is something that Clerk tells of, and what becomes of the tokens that
// are out.
type happening struct {
	name   string
	happen func(t *testing.T, f *fleet, p *person)
	reason policy.Reason
}

var happenings = []happening{
	{"session.revoked", func(_ *testing.T, f *fleet, p *person) { f.clerk.RevokeSession(p.session.ID) }, policy.ReasonSessionRevoked},
	{"session.ended", func(_ *testing.T, f *fleet, p *person) { f.clerk.EndSession(p.session.ID) }, policy.ReasonSessionRevoked},
	{"session.removed", func(_ *testing.T, f *fleet, p *person) { f.clerk.RemoveSession(p.session.ID) }, policy.ReasonSessionRevoked},
	{"user.deleted", told("user.deleted", func(p *person) map[string]any { return map[string]any{"id": p.user.ID, "deleted": true} }), policy.ReasonSessionRevoked},
	{"user.updated, banned", told("user.updated", func(p *person) map[string]any { return map[string]any{"id": p.user.ID, "banned": true} }), policy.ReasonSessionRevoked},
	{"user.updated, locked", told("user.updated", func(p *person) map[string]any { return map[string]any{"id": p.user.ID, "locked": true} }), policy.ReasonClaimsStale},
	{"a user deleted, with all that comes with it", func(t *testing.T, f *fleet, p *person) { must(t, f.clerk.DeleteUser(p.user.ID)) }, policy.ReasonSessionRevoked},
	{"a user banned, with all that comes with it", func(t *testing.T, f *fleet, p *person) { must(t, f.clerk.Ban(p.user.ID)) }, policy.ReasonSessionRevoked},
	{"organizationMembership.deleted", func(t *testing.T, f *fleet, p *person) { must(t, f.clerk.RemoveMember(p.user.ID, p.organization())) }, policy.ReasonClaimsStale},
	{"organizationMembership.updated", func(t *testing.T, f *fleet, p *person) {
		must(t, f.clerk.SetRole(p.user.ID, p.organization(), "org:admin"))
	}, policy.ReasonClaimsStale},
	{"organization.deleted", func(t *testing.T, f *fleet, p *person) { must(t, f.clerk.DeleteOrganization(p.organization())) }, policy.ReasonClaimsStale},
	{"subscription.updated", told("subscription.updated", func(p *person) map[string]any {
		return map[string]any{"payer": map[string]any{"organization_id": p.user.Memberships[0].Organization.ID}}
	}), policy.ReasonClaimsStale},
	{"role.updated", told("role.updated", func(*person) map[string]any { return map[string]any{"key": "org:member"} }), policy.ReasonClaimsStale},
}

// told is one event by itself.
func told(kind string, data func(*person) map[string]any) func(*testing.T, *fleet, *person) {
	return func(t *testing.T, f *fleet, p *person) {
		t.Helper()
		if d := f.clerk.Send(kind, data(p)); d.Status != http.StatusNoContent {
			t.Errorf("the delivery is answered with %d", d.Status)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signedOutMeansOut: whatever happens, and whichever edge hears of it, all of
// them refuse within a second.
func signedOutMeansOut(t *testing.T, f *fleet) {
	var worst time.Duration
	for _, h := range happenings {
		t.Run(h.name, func(t *testing.T) {
			for _, e := range f.edges {
				f.courier.goTo(e)
				p, bystander := f.signIn(t, ""), f.signIn(t, "")
				token := p.token()
				f.passes(t, "/", token)
				began := time.Now()
				h.happen(t, f, p)
				took := f.refuse(t, began, "/", token, h.reason)
				worst = max(worst, took)
				t.Logf("told to %s: all three refuse after %v", e.name, took.Round(time.Millisecond))
				if h.name == "role.updated" { // is about everybody
					f.nextSecond(t)
					bystander = f.signIn(t, "")
				}
				f.passes(t, "/", bystander.token())
			}
		})
	}
	t.Run("apiKey.revoked", func(t *testing.T) {
		for _, e := range f.edges {
			f.courier.goTo(e)
			p := f.signIn(t, "")
			key := f.clerk.CreateAPIKey(clerktest.Machine{Subject: p.user.ID})
			f.passes(t, "/machine", key) // from now on it is in their caches
			began := time.Now()
			f.clerk.RevokeMachineToken(key)
			took := f.refuse(t, began, "/machine", key, policy.ReasonSessionRevoked)
			worst = max(worst, took)
			t.Logf("told to %s: all three refuse after %v", e.name, took.Round(time.Millisecond))
		}
	})
	t.Logf("the longest took %v, of %v promised", worst.Round(time.Millisecond), promised)
}

// nextSecond waits until tokens say that they are newer than what has happened:
// they tell their time in whole seconds.
func (f *fleet) nextSecond(t *testing.T) {
	t.Helper()
	now := time.Now()
	time.Sleep(time.Until(now.Truncate(time.Second).Add(time.Second + time.Millisecond)))
}

// stored is how many entries the store has of what has ended.
func (f *fleet) stored(t *testing.T) any {
	t.Helper()
	instance, err := session.Config{PublishableKey: f.clerk.PublishableKey()}.InstanceID()
	if err != nil {
		t.Fatal(err)
	}
	return f.redis.Do(t, "XLEN", "clerkgate:{revocations:"+instance+"}:log")
}

// aDuplicateHasOneEffect: Clerk may deliver the same event twice.
func aDuplicateHasOneEffect(t *testing.T, f *fleet) {
	f.courier.goTo(f.edges[0])
	p := f.signIn(t, "")
	token := p.token()
	began := time.Now()
	f.clerk.RevokeSession(p.session.ID)
	f.refuse(t, began, "/", token, policy.ReasonSessionRevoked)
	stored := f.stored(t)
	for range 3 {
		if status := f.courier.again(nil); status != http.StatusNoContent {
			t.Errorf("a delivery again is answered with %d", status)
		}
	}
	if again := f.stored(t); again != stored {
		t.Errorf("the store has %v entries after the repetitions, %v before", again, stored)
	}
}

// aForgeryChangesNothing: what Clerk did not sign is refused.
func aForgeryChangesNothing(t *testing.T, f *fleet) {
	p, victim := f.signIn(t, ""), f.signIn(t, "")
	token := victim.token()
	for _, e := range f.edges {
		f.courier.goTo(e)
		f.clerk.Send("session.revoked", map[string]any{"id": p.session.ID})
		stored := f.stored(t)
		status := f.courier.again(func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte(p.session.ID), []byte(victim.session.ID))
		})
		if status != http.StatusBadRequest {
			t.Errorf("%s answers a forgery with %d", e.name, status)
		}
		if again := f.stored(t); again != stored {
			t.Errorf("%s stored a forgery", e.name)
		}
	}
	f.passes(t, "/", token)
}

// TestSignedOutMeansOut is the promise, while nothing is broken.
func TestSignedOutMeansOut(t *testing.T) {
	f := newFleet(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *fleet)
	}{
		{"metrics tell of revocations", metricsTellOfRevocations},
		{"whatever happens, all edges refuse within a second", signedOutMeansOut},
		{"a new role comes with the next navigation", aNewRoleComesWithTheNextNavigation},
		{"a browser whose session has ended is sent to sign in", aBrowserIsSentToSignIn},
		{"a delivery again has no further effect", aDuplicateHasOneEffect},
		{"a forged delivery changes nothing", aForgeryChangesNothing},
		{"the session page signs out everywhere", theSessionPageSignsOutEverywhere},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, f) })
	}
	if bad := slices.ContainsFunc(f.clerk.Deliveries(), func(d clerktest.Delivery) bool { return d.Status != http.StatusNoContent }); bad {
		t.Errorf("not all deliveries were taken: %v", f.clerk.Deliveries())
	}
}
