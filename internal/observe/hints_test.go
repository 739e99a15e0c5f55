package observe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

func TestAStrangeHostIsNamedOnceAndNotWithoutEnd(t *testing.T) {
	t.Parallel()
	var h hints
	for i, c := range []struct {
		cause error
		news  bool
	}{
		{nil, false}, {errors.New("another"), false}, {policy.StrangeHost{Host: "www.example.com"}, true}, {fmt.Errorf("why: %w", policy.StrangeHost{Host: "WWW.example.com"}), false},
		{policy.StrangeHost{Host: "www.example.com:8080"}, true}, {policy.StrangeHost{Host: "www.example.com"}, false},
	} {
		text, news := h.strangeHost(&policy.Decision{Cause: c.cause})
		if news != c.news || news && !strings.Contains(text, "www.example.com") {
			t.Errorf("%d: %v %q", i, news, text)
		}
	}
	told, last := 2, ""
	for i := range 10 * maxHosts {
		if text, news := h.strangeHost(&policy.Decision{Cause: policy.StrangeHost{Host: fmt.Sprintf("%d%s", i, strings.Repeat("x", 10_000))}}); news {
			told, last = told+1, text
		}
	}
	if told != maxHosts || !strings.HasSuffix(last, "further hosts are not logged") || len(last) > 500 {
		t.Errorf("%d hosts were named, at last in %d bytes", told, len(last))
	}
}

func TestAProxyThatHidesItsClientsIsNamedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client, forwarded string
		news              bool
	}{
		"a proxy on loopback":      {"127.0.0.1", "203.0.113.9", true},
		"one in the network":       {"10.1.2.3", "203.0.113.9, 10.1.2.3", true},
		"one by IPv6":              {"fd00::1", " 2001:db8::1", true},
		"a client of the network":  {"10.1.2.3", "10.1.2.3", false},
		"as Envoy mapped it":       {"10.1.2.3", "::ffff:10.1.2.3", false},
		"nobody else":              {"127.0.0.1", "", false},
		"no address":               {"127.0.0.1", "unknown", false},
		"a client of the Internet": {"198.51.100.7", "203.0.113.9", false},
		"no client":                {"", "203.0.113.9", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h hints
			client, _ := netip.ParseAddr(c.client)
			for round := range 3 {
				text, news := "", false
				if h.mayBeProxy(client) {
					text, news = h.hiddenClient(client, c.forwarded)
				}
				if want := c.news && round == 0; news != want || news && (!strings.Contains(text, client.String()) || strings.Contains(text, "203.0.113.9")) {
					t.Errorf("round %d: %v %q", round, news, text)
				}
			}
		})
	}
}
