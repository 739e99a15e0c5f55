package session

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/clerkgate/clerkgate/session/internal/browser"
)

// PublishableKey is what a publishable key says about its instance.
type PublishableKey struct {
	// Production is set for pk_live_ keys.
	Production bool
	// Host is the Frontend API's host, as encoded in the key.
	Host string
}

var (
	errKeyPrefix = errors.New("a publishable key starts with pk_live_ or pk_test_")
	errKeyBody   = errors.New("the text after the prefix is not that of a publishable key")
)

// ParsePublishableKey reads a publishable key: its prefix, and the base64 of
// the Frontend API's host and a closing "$". It accepts what Clerk's own library
// accepts and trims nothing. Errors do not repeat the key.
func ParsePublishableKey(key string) (PublishableKey, error) {
	body, live := strings.CutPrefix(key, "pk_live_")
	if !live {
		var test bool
		if body, test = strings.CutPrefix(key, "pk_test_"); !test {
			return PublishableKey{}, errKeyPrefix
		}
	}
	if body == "" || strings.Contains(body, "_") {
		return PublishableKey{}, errKeyBody
	}
	decoded, err := forgivingBase64(body)
	if err != nil {
		return PublishableKey{}, errKeyBody
	}
	host, closed := strings.CutSuffix(decoded, "$")
	if !closed || strings.Contains(host, "$") || !strings.Contains(host, ".") {
		return PublishableKey{}, errKeyBody
	}
	return PublishableKey{Production: live, Host: host}, nil
}

// FrontendAPI returns the instance's Frontend API for an application: the proxy
// URL where there is one, clerk.<domain> for a production satellite, else the
// key's own host.
func (k PublishableKey) FrontendAPI(proxyURL, domain string, satellite bool) string {
	if proxyURL != "" {
		return proxyURL
	}
	return k.frontendHost(domain, satellite)
}

// frontendHost is FrontendAPI without a proxy.
func (k PublishableKey) frontendHost(domain string, satellite bool) string {
	if k.Production && satellite && domain != "" {
		return "clerk." + domain
	}
	return k.Host
}

// accountsURL is the instance's Account Portal.
func (k PublishableKey) accountsURL() string { return "https://" + browser.PortalHost(k.Host) }

// CookieSuffix returns the suffix that distinguishes the cookies of this instance from
// those of others on the same domain: the start of a hash of the key's text.
func CookieSuffix(publishableKey string) string {
	sum := sha1.Sum([]byte(publishableKey)) // Clerk's choice; a name, not a proof
	return base64.URLEncoding.EncodeToString(sum[:])[:8]
}

// forgivingBase64 decodes by the forgiving-base64 algorithm of the WHATWG Infra
// standard: white space is dropped, padding may be missing, unused bits may be
// set. Bytes are read as Latin-1.
func forgivingBase64(s string) (string, error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\f\r ", r) {
			return -1
		}
		return r
	}, s)
	if len(s)%4 == 0 {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	}
	decoded, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", err
	}
	runes := make([]rune, len(decoded))
	for i, b := range decoded {
		runes[i] = rune(b)
	}
	return string(runes), nil
}
