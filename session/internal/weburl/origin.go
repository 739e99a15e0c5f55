package weburl

import "strings"

// Covers reports whether a host is that of an origin, or one that its wildcard
// stands for.
func (u *URL) Covers(host string) bool {
	return u.Host == host || IsBelow(u.Origin(), u.Scheme+"://"+host)
}

// Wildcard stands in an origin between the scheme and the host below which all hosts
// are meant, one label down or more.
const Wildcard = "://*."

// IsBelow reports whether an origin is of a host that a party with a wildcard
// stands for. It is written as browsers write origins.
func IsBelow(party, origin string) bool {
	if !strings.Contains(party, Wildcard) {
		return false
	}
	scheme, authority, _ := strings.Cut(origin, "://")
	host, port, ok := PlainAuthority(authority)
	if !ok || strings.ToLower(authority) != authority || strings.HasSuffix(authority, ":") || strings.Contains(host, "..") {
		return false
	}
	return allows(party, scheme, host, port)
}
