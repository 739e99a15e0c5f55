package observe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/policy"
)

// maxHosts bounds how many hosts are named: strangers choose them.
const maxHosts = 100

// hints are what requests show to be set up other than it is probably meant, to be
// told in the log once. The zero value is ready.
type hints struct {
	mu    sync.Mutex
	hosts map[string]bool
	// told: it was said that a proxy hides its clients.
	told atomic.Bool
}

// tell warns of what a request shows that was decided so. forwardedFor is its field
// X-Forwarded-For, and is asked for where that matters.
func (h *hints) tell(d *policy.Decision, forwardedFor func() string, warn func(text string)) {
	if text, news := h.strangeHost(d); news {
		warn(text)
	}
	if h.mayHide(d.Client.Addr) {
		if text, news := h.hiddenClient(d.Client.Addr, forwardedFor()); news {
			warn(text)
		}
	}
}

// strangeHost says, once for each host, that browsers there are sent nowhere: the
// first time that a refusal has that cause.
func (h *hints) strangeHost(d *policy.Decision) (text string, news bool) {
	if d.Cause == nil {
		return "", false
	}
	strange, ok := errors.AsType[policy.StrangeHost](d.Cause)
	if !ok {
		return "", false
	}
	host := strings.ToLower(strange.Host[:min(len(strange.Host), 255)])
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hosts[host] || len(h.hosts) == maxHosts {
		return "", false
	}
	if h.hosts == nil {
		h.hosts = map[string]bool{}
	}
	h.hosts[host] = true
	text = fmt.Sprintf("a page was requested on a host that is not in authorized_parties, so nobody can sign in there: %q", host)
	if len(h.hosts) == maxHosts {
		text += "; further hosts are not logged"
	}
	return text, true
}

// mayHide reports whether a client could be a proxy that hides its clients, and
// nobody has been told of one.
func (h *hints) mayHide(client netip.Addr) bool {
	return client.IsValid() && (client.IsLoopback() || client.IsPrivate() || client.IsLinkLocalUnicast()) && !h.told.Load()
}

// hiddenClient says, once, that an address of a local network counts as the client
// although it speaks for another, by the field X-Forwarded-For.
func (h *hints) hiddenClient(client netip.Addr, forwardedFor string) (text string, news bool) {
	first, _, _ := strings.Cut(forwardedFor, ",")
	other, err := netip.ParseAddr(strings.TrimSpace(first))
	if err != nil || other.Unmap() == client.Unmap() || !h.told.CompareAndSwap(false, true) {
		return "", false
	}
	return fmt.Sprintf("%s is treated as the client, but sends X-Forwarded-For: if it is one of your proxies, add it to trusted_proxies; otherwise all of its clients share one address", client), true
}
