package session

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

func TestWhichTokensAPartyTakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		party string
		takes []string
		not   []string
	}{
		{"https://app.example.com", []string{"https://app.example.com"}, []string{"https://app.example.com:443", "http://app.example.com", "https://x.app.example.com", "https://APP.example.com"}},
		{
			"https://*.example.com",
			[]string{"https://a.example.com", "https://a.b.example.com", "https://xn--nxasmq6b.example.com"},
			[]string{
				"https://example.com", "https://.example.com", "https://a..example.com", "https://a.example.com.", "http://a.example.com", "https://a.example.com:8443", "https://A.example.com",
				"https://aexample.com", "https://a.example.com.evil.com", "https://evil.com/.example.com", "https://evil.com?.example.com", "https://evil.com#.example.com", "https://u@a.example.com",
				"https://evil.com\\.example.com", "https://a.example.com/", "https://*.example.com", "https:// a.example.com", "//a.example.com", "a.example.com", "https://a.example.com:", "https://[::1].example.com", "",
			},
		},
		{"https://*.example.com:8443", []string{"https://a.example.com:8443"}, []string{"https://a.example.com", "https://a.example.com:443"}},
		{"http://*.localhost:3000", []string{"http://a.localhost:3000"}, []string{"http://localhost:3000"}},
		{"chrome-extension://abcdefghijklmnop", []string{"chrome-extension://abcdefghijklmnop"}, []string{"chrome-extension://other", "https://abcdefghijklmnop"}},
		{"capacitor://localhost", []string{"capacitor://localhost"}, []string{"ionic://localhost", "http://localhost"}},
	}
	for _, tt := range tests {
		if err := checkParty(tt.party); err != nil {
			t.Errorf("%s: %v", tt.party, err)
		}
		rules := Rules{AuthorizedParties: []string{"https://first.example.org", tt.party}}
		for _, origin := range tt.takes {
			if err := rules.authorizedParty(origin); err != nil {
				t.Errorf("%s: %q is not taken", tt.party, origin)
			}
		}
		for _, origin := range tt.not {
			if err := rules.authorizedParty(origin); err == nil {
				t.Errorf("%s: %q is taken", tt.party, origin)
			}
		}
		rules.relaxed = compat.Reference
		for _, origin := range tt.takes {
			if err := rules.authorizedParty(origin); (err == nil) != (origin == tt.party) {
				t.Errorf("%s: the reference compares texts, and %q is another matter", tt.party, origin)
			}
		}
	}
}

func TestPartiesThatWouldTakeTokensOfStrangers(t *testing.T) {
	t.Parallel()
	for _, party := range []string{
		"https://*.com", "https://*.co.uk", "https://*.github.io", "https://*.vercel.app", "https://*.internal", "https://*", "https://*.", "https://*.*.example.com", "https://a.*.example.com",
		"https://*a.example.com", "https://*.127.0.0.1", "https://*.example.com/", "https://*.EXAMPLE.com", "capacitor://*.example.com", "chrome-extension://*", "*://a.example.com", "*.example.com",
	} {
		if err := (Config{PublishableKey: mint.PublishableKey, AuthorizedParties: policy.StringList{party}}).Validate(); err == nil {
			t.Errorf("%q is taken", party)
		}
	}
	cfg := Config{PublishableKey: mint.PublishableKey, AuthorizedParties: policy.StringList{"https://*.example.com"}, ProxyURL: "/__clerk"}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "proxy_url") {
		t.Errorf("a proxy of tenants nobody listed: %v", err)
	}
}

// A token without claim azp is refused in words that say so.
func TestATokenThatNamesNoApplication(t *testing.T) {
	t.Parallel()
	for _, azp := range []any{nil, "", 5, []any{"https://app.example.com"}} {
		claims := mint.With(mint.Claims(), object{"azp": azp})
		err := (&testRules).authorizedParty(claims["azp"])
		if !hasReason(err, policy.ReasonTokenParties) || !strings.Contains(err.Error(), "names no application (claim azp)") {
			t.Errorf("%v: %v", azp, err)
		}
	}
}

// Browsers go to a handshake and back on every host that a wildcard stands for,
// and on none where only extensions and applications are listed.
func TestWhereBrowsersComeFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		parties policy.StringList
		host    string
		sent    bool
	}{
		{policy.StringList{"https://*.example.com"}, "tenant.example.com", true},
		{policy.StringList{"https://*.example.com"}, "example.com", false},
		{policy.StringList{"https://*.example.com"}, "tenant.example.com.evil.com", false},
		{policy.StringList{"chrome-extension://abc", "https://app.example.com"}, "app.example.com", true},
		{policy.StringList{"chrome-extension://abc"}, "abc", false},
		{policy.StringList{"chrome-extension://abc"}, "evil.com", false},
	} {
		r := navigation("/", "__client_uat=5")
		r.Host = tt.host
		got := newBrowser(t, Config{AuthorizedParties: tt.parties}).load(t, r)
		if (got.Status == policy.Handshake) != tt.sent {
			t.Errorf("%q at %s: %v", tt.parties, tt.host, got.Status)
		}
	}
}
