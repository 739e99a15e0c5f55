package setup

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// callCounter counts what goes to Clerk, whatever it is.
type callCounter struct{ n atomic.Int32 }

func (c *callCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// A credential that was seen before costs no call to Clerk, and a new one at most
// one: for the keys, if they are not there yet, or for a token that only Clerk can
// read.
func TestAWarmRequestMakesNoCallAndAColdOneAtMostOne(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Live: true})
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	bearer := func(token string) []policy.Header {
		return []policy.Header{{Name: "Authorization", Value: "Bearer " + token}}
	}
	cookies := func(token string) []policy.Header {
		return []policy.Header{{Name: "Accept", Value: "text/html"}, {Name: "Cookie", Value: "__client_uat=1; __session=" + token}}
	}
	machine := clerktest.Machine{Subject: "mch_0123456789abcdefghijklmnop", Scopes: []string{"mch_1"}}
	ada := clerktest.Machine{Subject: "user_ada", ClientID: "client_1", Scopes: []string{"read"}}
	for name, c := range map[string]struct {
		headers []policy.Header
		cold    int32 // calls
	}{
		"a session in cookies":    {cookies(clerk.Mint(session, clerktest.Token{})), 1},
		"a session in a field":    {bearer(clerk.Mint(session, clerktest.Token{})), 1},
		"an API key":              {bearer(clerk.CreateAPIKey(ada)), 1},
		"an opaque M2M token":     {bearer(clerk.CreateM2MToken(machine)), 1},
		"an opaque OAuth token":   {bearer(clerk.CreateOAuthToken(ada)), 1},
		"an M2M token to read":    {bearer(clerk.MintM2M(machine, clerktest.Token{})), 1},
		"an OAuth token to read":  {bearer(clerk.MintOAuth(ada, clerktest.Token{})), 1},
		"nobody":                  {nil, 0},
		"a token that is nothing": {bearer("nothing"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := new(callCounter)
			config, _, err := Load("gate.yaml", []byte(`
clerk: {publishable_key: `+clerk.PublishableKey()+`, secret_key: `+clerk.SecretKey()+`, api_url: `+clerk.URL()+`}
limits: {per-user: {limit: 1000, window: 1m, key: user}}
rules: [{name: all, match: {path: "(.*)"}, accept: any, limits: per-user}]
`))
			if err != nil {
				t.Fatal(err)
			}
			gate, err := New(*config, Options{HTTPClient: &http.Client{Transport: calls}})
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/dashboard", Headers: c.headers}
			for i := range 10 {
				d := gate.Policy.Decide(t.Context(), r)
				if d.Allowed() != (c.cold > 0) {
					t.Fatalf("request %d: %s, %v", i, d.Reason, d.Cause)
				}
				if n := calls.n.Load(); n != c.cold {
					t.Fatalf("%d calls after %d requests, want %d in all", n, i+1, c.cold)
				}
			}
		})
	}
}
