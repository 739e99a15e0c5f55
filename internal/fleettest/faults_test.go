package fleettest

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// heals is within what time an edge knows again what it missed.
const heals = 2 * time.Second

// check asks a node itself, as Envoy does.
func (n *node) check(t *testing.T, token string) (status int) {
	t.Helper()
	answer, err := extauthz.Ask(t.Context(), n.grpc, &policy.Request{
		Method: http.MethodGet, Scheme: "http", Host: "app.example.com", Target: "/", Peer: netip.MustParseAddr("127.0.0.1"),
		Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + token}},
	})
	if err != nil {
		return 0
	}
	return answer.Status
}

// within makes sure that something holds after a time at most.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	eventually(t, what, holds)
	took := time.Since(began)
	t.Logf("%s: after %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s takes %v, longer than %v", what, took, limit)
	}
}

// refuses asks an edge once.
func (e *edge) refuses(t *testing.T, token string) bool {
	t.Helper()
	a, err := e.try(t, "/", token)
	return err == nil && a.status == http.StatusUnauthorized && a.reason == policy.ReasonSessionRevoked
}

const away = `clerkgate_revocation_store_away_seconds{adapter="envoy"}`

// Redis keeps nothing on disk here: it comes back empty, and the edges tell it.
func TestNothingIsForgottenWhenRedisIsRestarted(t *testing.T) {
	f := newFleet(t)
	f.courier.goTo(f.edges[2])
	p, banned, alive := f.signIn(t, ""), f.signIn(t, ""), f.signIn(t, "")
	token, bannedToken := p.token(), banned.token()
	began := time.Now()
	f.clerk.RevokeSession(p.session.ID)
	must(t, f.clerk.Ban(banned.user.ID))
	f.refuse(t, began, "/", token, policy.ReasonSessionRevoked)
	f.refuse(t, began, "/", bannedToken, policy.ReasonSessionRevoked)

	f.redis.Restart(t)
	late := f.newNode(t, "a node that starts after the restart", "")
	for _, e := range f.edges {
		if !e.refuses(t, token) || !e.refuses(t, bannedToken) {
			t.Errorf("%s forgets with the store", e.name)
		}
	}
	if status := late.check(t, token); status == http.StatusOK {
		t.Error("a node lets pass what it has not heard of yet")
	}
	late.awaitReady(t)
	for _, gone := range []string{token, bannedToken} {
		if status := late.check(t, gone); status != http.StatusUnauthorized {
			t.Errorf("ready, the late node answers %d", status)
		}
	}
	if status := late.check(t, alive.token()); status != http.StatusOK {
		t.Errorf("the late node answers %d to whom nothing happened", status)
	}
	f.passes(t, "/", alive.token())
	// And the fleet is one again.
	for _, e := range f.edges {
		f.courier.goTo(e)
		q := f.signIn(t, "")
		token := q.token()
		f.passes(t, "/", token)
		began := time.Now()
		f.clerk.RevokeSession(q.session.ID)
		f.refuse(t, began, "/", token, policy.ReasonSessionRevoked)
		within(t, promised, "the late node's refusal", func() bool { return late.check(t, token) == http.StatusUnauthorized })
	}
}

// A node and Caddy are cut off from Redis, which the other node still reaches.
func TestWhoIsCutOffCatchesUp(t *testing.T) {
	f := newFleet(t)
	strict := f.newNode(t, "a node that is to deny", "revocation: { on_store_error: deny }\n")
	strict.awaitReady(t)
	reaching, cut := f.edges[0], f.edges[1:]
	links := []*testredis.Link{f.b.link, f.caddy.link, strict.link}
	missed, alive := f.signIn(t, ""), f.signIn(t, "")
	missedToken := missed.token()
	f.passes(t, "/", missedToken)

	for _, link := range links {
		link.Cut()
	}
	cutAt := time.Now()
	f.courier.goTo(reaching)
	f.clerk.RevokeSession(missed.session.ID)
	within(t, promised, "the refusal of who is not cut off", func() bool { return reaching.refuses(t, missedToken) })
	eventually(t, "the metric of the loss", func() bool { return f.b.metric(t, away) > 0 })
	for _, e := range cut {
		if a := e.call(t, "/", missedToken); a.status != http.StatusOK {
			t.Errorf("%s is cut off, and knows of what it was not told: %d", e.name, a.status)
		}
	}
	if !f.b.ready() {
		t.Error("the node is not ready, though it is to go on with what it knows")
	}
	eventually(t, "the loss of readiness of the node that is to deny", func() bool { return !strict.ready() })

	// Clerk tells those who are cut off. They refuse at once, and have Clerk tell
	// again.
	told := map[*edge]string{}
	for _, e := range cut {
		p := f.signIn(t, "")
		told[e] = p.token()
		f.courier.goTo(e)
		f.clerk.RevokeSession(p.session.ID)
		if all := f.clerk.Deliveries(); all[len(all)-1].Status != http.StatusServiceUnavailable {
			t.Errorf("%s is cut off, and answers a delivery with %d: Clerk will not send it again", e.name, all[len(all)-1].Status)
		}
		if !e.refuses(t, told[e]) {
			t.Errorf("%s lets pass what it was told itself", e.name)
		}
		if reaching.refuses(t, told[e]) {
			t.Errorf("%s is not cut off", e.name)
		}
	}

	// Tokens hold for a minute: new ones, when the grace is over.
	time.Sleep(time.Until(cutAt.Add(11 * time.Second)))
	if status := strict.check(t, alive.token()); status != http.StatusServiceUnavailable {
		t.Errorf("the node that is to deny answers %d", status)
	}
	for _, e := range cut {
		if a := e.call(t, "/", alive.token()); a.status != http.StatusOK {
			t.Errorf("%s is to go on, and answers %d", e.name, a.status)
		}
	}

	for _, link := range links {
		link.Heal()
	}
	healed := time.Now()
	for _, e := range cut {
		within(t, time.Until(healed.Add(heals)), "catching up of "+e.name, func() bool { return e.refuses(t, missedToken) })
	}
	for from, token := range told {
		for _, e := range f.edges {
			within(t, time.Until(healed.Add(heals)), "knowing at "+e.name+" what only "+from.name+" was told", func() bool { return e.refuses(t, token) })
		}
	}
	within(t, time.Until(healed.Add(heals)), "the readiness of the node that is to deny", strict.ready)
	if status := strict.check(t, alive.token()); status != http.StatusOK {
		t.Errorf("healed, the node that is to deny answers %d", status)
	}
	eventually(t, "the end of the loss", func() bool { return f.b.metric(t, away) == 0 && f.b.ready() })
	if status := f.courier.again(nil); status != http.StatusNoContent {
		t.Errorf("delivered again, it is answered with %d", status)
	}
}

// Envoy goes on asking the port of a node that crashed; Caddy has no readiness
// that anybody asks for.
func TestWhoCrashesKnowsAllWhenItIsBack(t *testing.T) {
	f := newFleet(t)
	f.courier.goTo(f.edges[0])
	for i := range 300 {
		f.clerk.Send("session.revoked", map[string]any{"id": fmt.Sprintf("sess_%d", i)})
	}
	before, during := f.signIn(t, ""), f.signIn(t, "")
	beforeToken, duringToken, alive := before.token(), during.token(), f.signIn(t, "")
	began := time.Now()
	f.clerk.RevokeSession(before.session.ID)
	f.refuse(t, began, "/", beforeToken, policy.ReasonSessionRevoked)

	f.b.Kill()
	f.caddy.Kill()
	f.clerk.RevokeSession(during.session.ID)
	f.b.start(t)
	f.caddy.start(t) // which returns when it listens
	for _, token := range []string{beforeToken, duringToken} {
		if a := f.edges[2].call(t, "/", token); a.status != http.StatusUnauthorized || a.reason != policy.ReasonSessionRevoked {
			t.Errorf("Caddy is back, and answers %d %s", a.status, a.reason)
		}
	}
	for !f.b.ready() {
		for _, token := range []string{beforeToken, duringToken} {
			if f.b.check(t, token) == http.StatusOK {
				t.Fatal("the node lets pass what it has not read yet")
			}
		}
	}
	for _, token := range []string{beforeToken, duringToken} {
		if status := f.b.check(t, token); status != http.StatusUnauthorized {
			t.Errorf("the node is ready, and answers %d", status)
		}
	}
	for _, e := range f.edges {
		eventually(t, "an answer of "+e.name, func() bool { a, err := e.try(t, "/", alive.token()); return err == nil && a.status == http.StatusOK })
	}
}
