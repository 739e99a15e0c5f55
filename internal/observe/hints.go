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

// maxHosts bounds how many hosts are logged: anonymous clients can choose them.
const maxHosts = 100

// hints finds probable mistakes in the setup by requests, and logs each once. The zero
// value is ready.
type hints struct {
	mu    sync.Mutex
	hosts map[string]bool
	// proxyWarned: it was logged that a proxy hides its clients.
	proxyWarned atomic.Bool
}

// check calls warn for each new mistake that a decision shows. forwardedFor returns the
// request's X-Forwarded-For, and is called only if needed.
func (h *hints) check(d *policy.Decision, forwardedFor func() string, warn func(text string)) {
	if text, news := h.strangeHost(d); news {
		warn(text)
	}
	if h.mayBeProxy(d.Client.Addr) {
		if text, news := h.hiddenClient(d.Client.Addr, forwardedFor()); news {
			warn(text)
		}
	}
}

// strangeHost returns a warning, once for each host, for a denied request of a browser
// that was not redirected to sign in because its host is not an authorized party.
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

// mayBeProxy reports whether the client could be a proxy that hides its clients, which
// was not logged yet.
func (h *hints) mayBeProxy(client netip.Addr) bool {
	return client.IsValid() && (client.IsLoopback() || client.IsPrivate() || client.IsLinkLocalUnicast()) && !h.proxyWarned.Load()
}

// hiddenClient returns a warning, once, for a client in a local network that sends the
// address of another client in X-Forwarded-For: it is a proxy that is not trusted.
func (h *hints) hiddenClient(client netip.Addr, forwardedFor string) (text string, news bool) {
	first, _, _ := strings.Cut(forwardedFor, ",")
	other, err := netip.ParseAddr(strings.TrimSpace(first))
	if err != nil || other.Unmap() == client.Unmap() || !h.proxyWarned.CompareAndSwap(false, true) {
		return "", false
	}
	return fmt.Sprintf("%s is treated as the client, but sends X-Forwarded-For: if it is one of your proxies, add it to trusted_proxies; otherwise all of its clients share one address", client), true
}
