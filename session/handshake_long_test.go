package session

import (
	"net/url"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// The address that a browser is sent to is bounded, whatever was asked for and
// whatever token is in its cookies: the page loses its query on the way back, then
// its path, and at last the browser is sent nowhere.
func TestTheAddressOfAHandshakeIsBounded(t *testing.T) {
	t.Parallel()
	expired := mint.Token(t, object{"exp": now.Unix() - 60})
	long := mint.Token(t, object{"exp": now.Unix() - 60, "pad": strings.Repeat("a", 8_500)})
	for name, c := range map[string]struct {
		target, token string
		back          string // "" for nowhere
	}{
		"a query of 8 KiB":       {"/a?" + strings.Repeat("q", 8<<10), expired, "https://app.example.com/a?" + strings.Repeat("q", 8<<10) + "="},
		"a query of 20,000":      {"/a?x=1&y=" + strings.Repeat("q", 20_000), expired, "https://app.example.com/a"},
		"one of many escapes":    {"/a?y=" + strings.Repeat("%25", 4_000), expired, "https://app.example.com/a"},
		"a path of many escapes": {"/" + strings.Repeat("%25", 2_500) + "?x", long, "https://app.example.com/"},
		"a token and a query":    {"/a?" + strings.Repeat("q", 6<<10), long, "https://app.example.com/a"},
		"a token of its own":     {"/a", mint.Token(t, object{"exp": now.Unix() - 60, "pad": strings.Repeat("a", 11_900)}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newBrowser(t, Config{}).load(t, sessiontest.Navigation(c.target, signedInCookies(c.token)))
			to := sessiontest.HeaderOf(got.Headers, "Location")
			location, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			if back := location.Query().Get("redirect_url"); len(to) > browser.MaxLocation || back != c.back {
				t.Errorf("%d bytes, back to %.80q, want %.80q", len(to), back, c.back)
			}
			if c.back == "" && (got.Status == policy.Handshake || got.Cause == nil) {
				t.Errorf("%v, cause %v: want nobody to be sent anywhere, and the log to say why", got.Status, got.Cause)
			}
			reference := newBrowser(t, Config{ReferenceCompat: true}).load(t, sessiontest.Navigation(c.target, signedInCookies(c.token)))
			if got := len(sessiontest.HeaderOf(reference.Headers, "Location")); got <= browser.MaxLocation && len(c.target) > browser.MaxLocation {
				t.Errorf("the reference bounds nothing, and here are %d bytes", got)
			}
		})
	}
}
