package session

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// checkParty says what is wrong with an authorized party.
func checkParty(party string) error {
	plain := strings.Replace(party, weburl.Wildcard, "://", 1)
	switch {
	case !isOrigin(plain):
		return fmt.Errorf("%q is not an origin", party)
	case plain == party:
		return nil
	case !isWebOrigin(party):
		return fmt.Errorf("%q has a wildcard, which only https and http have", party)
	}
	_, authority, _ := strings.Cut(plain, "://")
	host, _, ok := weburl.PlainAuthority(authority)
	if _, err := netip.ParseAddr(host); !ok || err == nil {
		return errors.New("a wildcard stands for names, not for addresses")
	}
	if suffix, _ := publicsuffix.PublicSuffix(host); suffix == host && host != "localhost" {
		return fmt.Errorf("%q takes tokens of strangers: anybody can have a name below %s", party, host)
	}
	return nil
}

// isWebOrigin reports whether pages can be of an origin, rather than an extension
// or an application with a scheme of its own.
func isWebOrigin(party string) bool {
	return strings.HasPrefix(party, "https://") || strings.HasPrefix(party, "http://")
}

// Origins returns the origins that pages of the site can be of: the authorized
// parties but for those of extensions and applications.
func (c Config) Origins() []string {
	return slices.DeleteFunc(slices.Clone(c.AuthorizedParties), func(party string) bool { return !isWebOrigin(party) })
}

// foreignParty is an authorized party outside of the domain of a production
// instance, which sets its cookies there; "" for none, and where a proxy or a
// satellite makes up for it.
func (c Config) foreignParty() string {
	key, err := ParsePublishableKey(strings.TrimSpace(c.PublishableKey))
	if err != nil || !key.Production || c.ProxyURL != "" || c.Satellite {
		return ""
	}
	own, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(key.Host))
	if err != nil {
		return ""
	}
	for _, party := range c.Origins() {
		_, authority, _ := strings.Cut(strings.Replace(party, weburl.Wildcard, "://", 1), "://")
		host, _, ok := weburl.PlainAuthority(authority)
		if domain, err := publicsuffix.EffectiveTLDPlusOne(host); ok && err == nil && domain != own {
			return party
		}
	}
	return ""
}
