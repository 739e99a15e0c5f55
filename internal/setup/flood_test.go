package setup

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// What strangers cause counts for the client behind trusted proxies, not for the
// proxy, and what a client says of its address counts for nothing.
func TestWhatStrangersCauseCountsForTheClient(t *testing.T) {
	t.Parallel()
	const nonces = "GET /v1/clients/handshake_payload"
	for name, c := range map[string]struct {
		proxies string
		from    func(i int) string // X-Forwarded-For
		most    int
	}{
		"one client that names many":      {"[192.0.2.0/24]", func(i int) string { return fmt.Sprintf("203.0.113.%d, 198.51.100.7", i%250) }, 60},
		"many clients":                    {"[192.0.2.0/24]", func(i int) string { return fmt.Sprintf("198.51.%d.%d", i/250, i%250) }, 400},
		"many, by a proxy that we do not": {"[10.0.0.0/8]", func(i int) string { return fmt.Sprintf("198.51.%d.%d", i/250, i%250) }, 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clerk := clerktest.Start(t, clerktest.Options{Live: true})
			config, _, err := Load("gate.yaml", []byte(`
clerk: {publishable_key: `+clerk.PublishableKey()+`, secret_key: `+clerk.SecretKey()+`, api_url: `+clerk.URL()+`}
trusted_proxies: `+c.proxies+`
rules: [{name: public, match: {path: "/"}, access: public}]
`))
			if err != nil {
				t.Fatal(err)
			}
			gate, err := New(*config, Options{HTTPClient: new(http.Client)})
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			for i := range 1000 {
				gate.Policy.Decide(t.Context(), &policy.Request{
					Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Peer: netip.MustParseAddr("192.0.2.1"), Client: netip.MustParseAddr("203.0.113.9"),
					Headers: []policy.Header{
						{Name: "Accept", Value: "text/html"}, {Name: "Sec-Fetch-Dest", Value: "document"}, {Name: "X-Forwarded-For", Value: c.from(i)},
						{Name: "Cookie", Value: fmt.Sprintf("__Host-clerkgate-handshake=1; __clerk_handshake_nonce=n%d", i)},
					},
				})
			}
			if n := clerk.Calls(nonces); n < 32 || n > c.most {
				t.Errorf("%d calls to Clerk for a thousand requests, want at most %d", n, c.most)
			}
		})
	}
}
