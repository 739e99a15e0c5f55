package policy_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// renewing can send browsers away to fetch a new token, and signs in even so:
// the policy must not believe it.
type renewing struct{ *pieces }

func (renewing) Renew(_ context.Context, r *policy.Request, reason policy.Reason, _ time.Time) policy.AuthState {
	if r.Method != "GET" {
		return policy.AuthState{Reason: reason, Status: policy.SignedIn, Principal: admin()}
	}
	return policy.AuthState{Status: policy.Handshake, Reason: reason, Headers: []policy.Header{
		{Name: "Location", Value: "https://clerk.example.com/v1/client/handshake"}, {Name: "Cache-Control", Value: "no-store"}}}
}

func TestStaleClaimsAreRenewedWhereThatCanBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method   string
		access   policy.Access
		revoked  policy.Reason
		status   int
		reason   policy.Reason
		location bool
	}{
		"a browser fetches a new token":          {"GET", policy.Protected, policy.ReasonClaimsStale, 307, policy.ReasonClaimsStale, true},
		"a browser does so on a public page too": {"GET", policy.Public, policy.ReasonClaimsStale, 307, policy.ReasonClaimsStale, true},
		"a call is told to":                      {"POST", policy.Protected, policy.ReasonClaimsStale, 401, policy.ReasonClaimsStale, false},
		"a call to what is public passes":        {"POST", policy.Public, policy.ReasonClaimsStale, 200, policy.ReasonPublic, false},
		"a session that has ended is not":        {"GET", policy.Protected, policy.ReasonSessionRevoked, 401, policy.ReasonSessionRevoked, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := goodPieces()
			all.revoked = func() policy.Reason { return c.revoked }
			deps := goodDeps()
			deps.Authenticator, deps.Revocations = renewing{all}, all
			p, err := policy.New(rules(policy.Rule{Name: "a", Match: paths("/a"), Access: c.access}), deps)
			if err != nil {
				t.Fatal(err)
			}
			r := get("/a")
			r.Method = c.method
			d := p.Decide(t.Context(), r)
			if d.Status != c.status || d.Reason != c.reason || (d.Header("Location") != "") != c.location || d.Principal != nil {
				t.Errorf("%d %s, Location %q, as %v; want %d %s", d.Status, d.Reason, d.Header("Location"), d.Principal, c.status, c.reason)
			}
			for i, h := range d.ResponseHeaders {
				if slices.Contains(d.ResponseHeaders[:i], h) {
					t.Errorf("%s: %s is said twice", h.Name, h.Value)
				}
			}
		})
	}
}
