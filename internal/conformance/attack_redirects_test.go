package conformance

import (
	"testing"

	"github.com/clerkgate/clerkgate/session"
)

type redirectInput struct {
	AllowedOrigins []string `json:"allowed_origins"`
	RedirectURL    string   `json:"redirect_url"`
}

// A browser is sent nowhere but to the site itself and to the allowed origins,
// and everywhere there.
func TestAttackRedirects(t *testing.T) {
	t.Parallel()
	count := score{name: "redirects"}
	for _, c := range loadAttacks[redirectInput](t, "redirects") {
		safe := session.IsSafeRedirect(c.Input.RedirectURL, c.Input.AllowedOrigins)
		ok := safe == (c.expected() == "safe")
		count.add(c.expected() == "unsafe", c.expected() == "safe", ok, safe)
		if !ok {
			t.Errorf("%s: %q is taken for safe: %v (%s)", c.ID, c.Input.RedirectURL, safe, c.Why)
		}
	}
	count.report(t)
}
