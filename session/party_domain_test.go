package session_test

import (
	"slices"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

func TestAPartyOfAnotherDomainIsWarnedAbout(t *testing.T) {
	other := publishableKey("pk_live_", "clerk.other.com")
	for name, c := range map[string]struct {
		config session.Config
		want   bool
	}{
		"its own":       {session.Config{PublishableKey: publishableKey("pk_live_", "clerk.example.com"), AuthorizedParties: []string{"https://app.example.com", "https://example.com:8443"}}, false},
		"another":       {session.Config{PublishableKey: other, AuthorizedParties: []string{"https://app.example.com"}}, true},
		"one of two":    {session.Config{PublishableKey: other, AuthorizedParties: []string{"https://app.other.com", "https://app.example.com"}}, true},
		"a wildcard":    {session.Config{PublishableKey: other, AuthorizedParties: []string{"https://*.example.com"}}, true},
		"an extension":  {session.Config{PublishableKey: other, AuthorizedParties: []string{"chrome-extension://abc"}}, false},
		"local":         {session.Config{PublishableKey: other, AuthorizedParties: []string{"http://localhost:3000"}}, false},
		"a neighbour":   {session.Config{PublishableKey: publishableKey("pk_live_", "clerk.a.co.uk"), AuthorizedParties: []string{"https://b.co.uk"}}, true},
		"proxied":       {session.Config{PublishableKey: other, ProxyURL: "/__clerk", AuthorizedParties: []string{"https://app.example.com"}}, false},
		"a satellite":   {session.Config{PublishableKey: other, Satellite: true, Domain: "example.com", AuthorizedParties: []string{"https://example.com"}}, false},
		"for testing":   {session.Config{PublishableKey: publishableKey("pk_test_", "x-1.clerk.accounts.dev"), AuthorizedParties: []string{"https://app.example.com"}}, false},
		"unset parties": {session.Config{PublishableKey: other}, false},
	} {
		got := slices.ContainsFunc(c.config.Warnings(), func(w policy.Warning) bool { return w.ID == policy.WarnInstanceDomain })
		if got != c.want {
			t.Errorf("%s: warned %v, want %v", name, got, c.want)
		}
	}
}
