package session

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

func TestPartiesThatWouldTakeTokensOfStrangers(t *testing.T) {
	t.Parallel()
	for _, party := range []string{
		"https://app.example.com", "https://*.example.com", "https://*.example.com:8443", "http://*.localhost:3000", "chrome-extension://abcdefghijklmnop", "capacitor://localhost",
	} {
		if err := checkParty(party); err != nil {
			t.Errorf("%s: %v", party, err)
		}
	}
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
		r := sessiontest.Navigation("/", "__client_uat=5")
		r.Host = tt.host
		got := newBrowser(t, Config{AuthorizedParties: tt.parties}).load(t, r)
		if (got.Status == policy.Handshake) != tt.sent {
			t.Errorf("%q at %s: %v", tt.parties, tt.host, got.Status)
		}
	}
}
