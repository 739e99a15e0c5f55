package frontendapi

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/clerkgate/clerkgate/session"
)

// The hosts at which Clerk takes proxied requests.
const (
	production = "https://frontend-api.clerk.dev"
	local      = "https://frontend-api.lclclerk.com"
	staging    = "https://frontend-api.clerkstage.dev"
)

// DefaultUpstream is where the requests of an instance go, by the host in its
// publishable key.
func DefaultUpstream(publishableKey string) string {
	key, err := session.ParsePublishableKey(strings.TrimSpace(publishableKey))
	if err != nil {
		return production
	}
	switch legacy := strings.HasPrefix(key.Host, "clerk."); {
	case hasSuffix(key.Host, ".lcl.dev", ".lclstage.dev", ".lclclerk.com") && legacy:
		return production
	case hasSuffix(key.Host, ".lcl.dev", "lclstage.dev", "lclclerk.com"):
		return local
	case strings.HasSuffix(key.Host, ".accountsstage.dev"):
		return staging
	}
	return production
}

func hasSuffix(host string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// parseUpstream reads the base of the Frontend API. The secret key travels
// there, so it is https, or this machine.
func parseUpstream(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("the upstream %q is not an absolute URL", text)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("the upstream has user information, a query or a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("the upstream %q is not https", text)
	case u.Path != "" && !plainPath(u.EscapedPath()):
		return nil, fmt.Errorf("the path of the upstream %q is not a plain one", text)
	}
	return u, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// publicURLs are the addresses of the proxy as browsers see it, by host: the
// proxy URL, or where that is a path, the path on each of the site's origins.
func publicURLs(proxyURL string, origins []string) (byHost map[string]*url.URL, prefix string, err error) {
	proxyURL = strings.TrimRight(strings.TrimSpace(proxyURL), "/")
	all := []string{proxyURL}
	switch {
	case proxyURL == "":
		return nil, "", errors.New("clerk.proxy_url is missing: write the address of the proxy, such as https://app.example.com/__clerk")
	case strings.HasPrefix(proxyURL, "/"):
		if all = nil; len(origins) == 0 {
			return nil, "", errors.New("clerk.proxy_url is a path: write it in full, or list the site's origins in clerk.authorized_parties")
		}
		for _, origin := range origins {
			all = append(all, origin+proxyURL)
		}
	}
	byHost = map[string]*url.URL{}
	for _, text := range all {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, "", fmt.Errorf("clerk.proxy_url %q is not the address of a proxy", text)
		}
		if prefix = u.EscapedPath(); !plainPath(prefix) {
			return nil, "", fmt.Errorf("clerk.proxy_url %q needs a plain path, such as /__clerk", text)
		}
		byHost[hostKey(u.Scheme, u.Host)] = u
	}
	return byHost, prefix, nil
}

// IsPath reports whether a proxy URL is a path of a site, and so one that a
// handler can be at. Others are whole hosts that do nothing else.
func IsPath(proxyURL string) bool {
	u, err := url.Parse(strings.TrimSpace(proxyURL))
	return err == nil && strings.Trim(u.Path, "/") != ""
}

// hostKey makes hosts comparable: without case, default port and final dot.
func hostKey(scheme, host string) string {
	host = strings.ToLower(host)
	for _, port := range map[string][]string{"https": {":443"}, "http": {":80"}}[scheme] {
		host = strings.TrimSuffix(host, port)
	}
	return strings.TrimSuffix(host, ".")
}
