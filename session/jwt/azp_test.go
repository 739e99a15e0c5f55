package jwt

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// A token without claim azp is refused in words that say so.
func TestATokenThatNamesNoApplication(t *testing.T) {
	t.Parallel()
	for _, azp := range []any{nil, "", 5, []any{"https://app.example.com"}} {
		claims := mint.With(mint.Claims(), object{"azp": azp})
		err := (&testExpected).authorizedParty(claims["azp"])
		if ReasonOf(err) != policy.ReasonTokenParties || !strings.Contains(err.Error(), "names no application (claim azp)") {
			t.Errorf("%v: %v", azp, err)
		}
	}
}

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
		rules := Expected{AuthorizedParties: []string{"https://first.example.org", tt.party}}
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
