package fleettest

import (
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// metricsTellOfRevocations: each edge shows what it knows, and of whom it does
// not. It is the first thing that happens to the fleet.
func metricsTellOfRevocations(t *testing.T, f *fleet) {
	f.courier.goTo(f.edges[0])
	p := f.signIn(t, "")
	token := p.token()
	began := time.Now()
	f.clerk.RevokeSession(p.session.ID)
	f.refuse(t, began, "/", token, policy.ReasonSessionRevoked)
	f.courier.again(func(body []byte) []byte { return append(body, ' ') }) // which Clerk did not sign
	for name, want := range map[string]float64{
		`clerkgate_revocation_entries{adapter="envoy"}`:              1,
		`clerkgate_revocations_total{adapter="envoy",from="here"}`:   1,
		`clerkgate_webhooks_total{adapter="envoy",result="refused"}`: 1,
		`clerkgate_webhooks_total{adapter="envoy",result="failed"}`:  0,
		`clerkgate_revocation_ready{adapter="envoy"}`:                1,
		`clerkgate_revocation_store_failures_total{adapter="envoy"}`: 0,
		`clerkgate_revocations_rewritten_total{adapter="envoy"}`:     0,
		`clerkgate_revocation_store_away_seconds{adapter="envoy"}`:   0,
	} {
		if got := f.a.metric(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	caddy := f.caddy.shows(t)
	for name, want := range map[string]float64{
		`clerkgate_revocation_entries{adapter="caddy"}`:             1,
		`clerkgate_revocations_total{adapter="caddy",from="here"}`:  0,
		`clerkgate_revocations_total{adapter="caddy",from="store"}`: 1,
	} {
		if got := metricIn(t, caddy, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if strings.Contains(caddy, p.session.ID) || strings.Contains(caddy, p.user.ID) {
		t.Error("metrics name somebody")
	}
}
