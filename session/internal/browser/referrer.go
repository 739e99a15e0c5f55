package browser

import (
	"strings"

	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// isCrossOrigin reports whether a browser that is signed in here loads a
// page by following a link from another origin: there it may have signed out or
// in meanwhile. Clerk's own pages are not elsewhere, and who has just been sent
// to the Frontend API is not sent again.
func (a *Authenticator) isCrossOrigin(v *Visit) bool {
	if v.referer.value == "" || a.o.Satellite || !v.isDocument() || v.handshakes() != 0 {
		return false
	}
	own, ok := v.address()
	if !ok {
		return false
	}
	from, ok := weburl.Parse(v.referer.value)
	if !ok {
		return hasOpaqueOrigin(v.referer.value)
	}
	return from.Origin() != own.Origin() && !a.isClerksPage(from, own)
}

// hasOpaqueOrigin reports whether text is an absolute URL of another scheme,
// such as an application's.
func hasOpaqueOrigin(text string) bool {
	scheme, _, ok := strings.Cut(text, ":")
	if !ok || scheme == "" || strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") {
		return false
	}
	return strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" && !strings.ContainsAny(scheme[:1], "0123456789+-.")
}

// isClerksPage reports whether a page is the Frontend API's or the Account
// Portal's. By default the instance's own are known also where this site proxies
// the Frontend API.
func (a *Authenticator) isClerksPage(from, own *weburl.URL) bool {
	bases := []string{a.frontendBase(own)}
	if !a.relaxed.Address && a.o.ProxyURL != "" {
		bases = append(bases, a.o.FrontendHost)
	}
	for _, base := range bases {
		text := base
		if !strings.HasPrefix(text, "http") {
			text = "https://" + text
		}
		if u, ok := weburl.Parse(text); ok && u.Hostname() == from.Hostname() {
			return true
		}
		if portal, ok := weburl.Parse("https://" + PortalHost(base)); ok && portal.Origin() == from.Origin() {
			return true
		}
	}
	return !a.o.Production && isDevelopmentPortal(from.Hostname())
}

// isDevelopmentPortal recognizes the Account Portals of development instances.
func isDevelopmentPortal(host string) bool {
	for _, suffix := range []string{".accounts.dev", ".accountsstage.dev", ".accounts.lclclerk.com"} {
		if strings.HasSuffix(host, suffix) && !strings.HasSuffix(host, ".clerk"+suffix) {
			return true
		}
	}
	if !strings.HasPrefix(host, "accounts.") {
		return false
	}
	for _, suffix := range []string{".lcl.dev", ".lclstage.dev", ".lclclerk.com"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
