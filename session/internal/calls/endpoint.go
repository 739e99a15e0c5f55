package calls

import (
	"fmt"
	"net/netip"
	"net/url"
)

// CheckEndpoint refuses URLs that secrets and keys may not travel to: https it is, and
// plain http only on this host. The error names the URL.
func CheckEndpoint(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not the base of an API", s)
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q is not https", s)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
