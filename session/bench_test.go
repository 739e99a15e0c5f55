package session

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// BenchmarkAuthenticate is a browser that is signed in, its token seen before:
// what nearly every request costs.
func BenchmarkAuthenticate(b *testing.B) {
	a := testAuthenticator(b, Config{})
	token := mint.Token(b, nil)
	for name, r := range map[string]*policy.Request{
		"bearer":     {Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/a?b=c", Headers: sessiontest.Fields("Accept", "*/*", "Authorization", "Bearer "+token)},
		"cookie":     sessiontest.Navigation("/a?b=c", signedInCookies(token)+"; theme=dark"),
		"both-forms": sessiontest.Navigation("/a?b=c", signedInCookies(token)+"; __session_"+mint.Suffix+"="+token+"; __client_uat_"+mint.Suffix+"=5"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := a.Authenticate(b.Context(), r, sessionsOnly, now); got.Status != policy.SignedIn {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}
