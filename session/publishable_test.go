package session

import (
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/mint"
)

func TestCookieSuffix(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		mint.PublishableKey: mint.Suffix,
		"pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk":                     "nx2hSE6I",
		"pk_test_ZW5vdWdoLWFscGFjYS04Mi5jbGVyay5hY2NvdW50cy5sY2xjbGVyay5jb20k": "jtYvyt_H",
		"pk_test_eHh4eHh4LXhhYWFhYS1hYS5jbGVyay5hY2NvdW50cy5sY2xjbGVyay5jb20k": "tZJdb-5s",
	} {
		if got := CookieSuffix(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

func TestParsePublishableKeyRefuses(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"nothing":              "",
		"no body":              "pk_live_",
		"another prefix":       "pk_dev_Y2xlcmsuZXhhbXBsZS5jb20k",
		"a leading space":      " pk_live_Y2xlcmsuZXhhbXBsZS5jb20k",
		"a fourth part":        "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k_x",
		"no closing sign":      "pk_live_Y2xlcmsuZXhhbXBsZS5jb20",
		"a host without a dot": "pk_live_Y2xlcmsk",
		"bad padding":          "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k=",
		"URL-safe base64":      "pk_live_Y2xlcmsu-XhhbXBsZS5jb20k",
	} {
		if got, err := ParsePublishableKey(key); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAccountPortal(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"happy-cat-1.clerk.accounts.dev":      "https://happy-cat-1.accounts.dev",
		"happy-cat-1.clerk.accountsstage.dev": "https://happy-cat-1.accountsstage.dev",
		"clerk.ex.com":                        "https://accounts.ex.com",
		"clerk.app.ex.co.uk":                  "https://accounts.app.ex.co.uk",
		"auth.ex.com":                         "https://auth.ex.com",
	} {
		if got := (PublishableKey{Host: host}).accountsURL(); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
