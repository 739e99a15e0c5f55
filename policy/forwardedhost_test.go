package policy_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// Rack goes by X-Forwarded-Host, so that anybody could name the host on which an
// application believes it is, and reach what a rule for that host guards.
func TestOnlyTrustedProxiesNameTheHost(t *testing.T) {
	t.Parallel()
	stranger, proxy, client := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("203.0.113.9")
	tests := map[string]struct {
		trusted      policy.StringList
		peer, client netip.Addr
		goesOn       bool
	}{
		"nobody is trusted":               {peer: stranger},
		"somebody else is trusted":        {trusted: policy.StringList{"10.0.0.0/8"}, peer: stranger},
		"a trusted proxy":                 {trusted: policy.StringList{"10.0.0.0/8"}, peer: proxy, goesOn: true},
		"a proxy that the server trusts":  {peer: proxy, client: client, goesOn: true},
		"a client without any proxy":      {peer: client, client: client},
		"ours are trusted, not the other": {trusted: policy.StringList{"10.0.0.0/8"}, peer: stranger, client: client},
		"no peer is known":                {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rules()
			config.TrustedProxies = test.trusted
			config.Default.Access = policy.Public
			r := get("/a")
			r.Peer, r.Client = test.peer, test.client
			sent := []string{"X-Forwarded-Host", "x_forwarded.host", "Forwarded"}
			for _, field := range sent {
				r.Headers = append(r.Headers, policy.Header{Name: field, Value: "host=admin.example.com"})
			}
			d := goodPieces().policy(t, config).Decide(t.Context(), r)
			for _, field := range sent {
				if removed := slices.Contains(d.RemoveHeaders, field); removed == test.goesOn {
					t.Errorf("%s: removed is %v", field, removed)
				}
			}
		})
	}
}
