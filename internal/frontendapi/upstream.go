package frontendapi

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// The hosts at which Clerk accepts proxied requests.
const (
	production = "https://frontend-api.clerk.dev"
	local      = "https://frontend-api.lclclerk.com"
	staging    = "https://frontend-api.clerkstage.dev"
)

// DefaultUpstream returns the base URL of the Frontend API of an instance, by the host in
// its publishable key.
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

// parseUpstream parses the base URL of the Frontend API. It must be https, or on this
// machine, since the secret key is sent there.
func parseUpstream(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the upstream is not an absolute URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("the upstream has user information, a query or a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, errors.New("the upstream is not https")
	case u.Path != "" && !plainPath(u.EscapedPath()):
		return nil, errors.New("the path of the upstream is not a plain one")
	}
	return u, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// publicURLs returns the URLs of the proxy for browsers, by host: the proxy URL, or if
// that is a path, the path on each of the site's origins.
func publicURLs(proxyURL string, origins []string) (byHost map[string]*url.URL, prefix string, err error) {
	proxyURL = strings.TrimRight(strings.TrimSpace(proxyURL), "/")
	all := []string{proxyURL}
	switch {
	case proxyURL == "":
		return nil, "", configError("proxy_url", "is missing", "write the address of the proxy, such as https://app.example.com/__clerk")
	case strings.HasPrefix(proxyURL, "/"):
		if all = nil; len(origins) == 0 {
			return nil, "", configError("proxy_url", "is a path, and the site's origins are not known", "write it in full, or list the origins in authorized_parties")
		}
		for _, origin := range origins {
			all = append(all, origin+proxyURL)
		}
	}
	byHost = map[string]*url.URL{}
	for _, text := range all {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, "", configError("proxy_url", "is not the address of a proxy", "write it as https://app.example.com/__clerk")
		}
		if prefix = u.EscapedPath(); !plainPath(prefix) {
			return nil, "", configError("proxy_url", "has no plain path", "write a path such as /__clerk")
		}
		byHost[hostKey(u.Scheme, u.Host)] = u
	}
	return byHost, prefix, nil
}

// configError returns an error about a setting of the instance. The value is not
// repeated: URLs can contain passwords.
func configError(key, msg, suggestion string) error {
	return &policy.ConfigError{Path: "clerk." + key, Msg: msg, Suggestion: suggestion}
}

// IsPath reports whether a proxy URL has a path below a site, where a handler can be.
// Others are hosts of their own.
func IsPath(proxyURL string) bool {
	u, err := url.Parse(strings.TrimSpace(proxyURL))
	return err == nil && strings.Trim(u.Path, "/") != ""
}

// hostKey normalizes a host: lower case, without default port and final dot.
func hostKey(scheme, host string) string {
	host = strings.ToLower(host)
	for _, port := range map[string][]string{"https": {":443"}, "http": {":80"}}[scheme] {
		host = strings.TrimSuffix(host, port)
	}
	return strings.TrimSuffix(host, ".")
}
