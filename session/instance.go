package session

import (
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// FrontendAPI returns the instance's Frontend API as the configuration has it:
// the proxy URL where there is one, else a host name.
func (a *Authenticator) FrontendAPI() string {
	return a.key.FrontendAPI(a.config.ProxyURL, a.config.Domain, a.config.Satellite)
}

// Issuer returns the issuer that the instance's tokens name (claim iss).
func (a *Authenticator) Issuer() string { return a.instanceIssuers()[0] }

// issuers returns the issuers to insist on: those configured, else the
// instance's own; in reference mode none of its own.
func (a *Authenticator) issuers() []string {
	switch {
	case a.relaxed.Issuer:
		return nonEmpty(a.config.Issuer)
	case len(a.config.Issuer) > 0:
		return a.config.Issuer
	}
	return a.instanceIssuers()
}

// instanceIssuers returns the issuers that tokens of the instance may name: the
// Frontend API at its own host, for a satellite at the satellite's too, and
// where this site proxies it at the proxy's address, on any authorized party. All are the operator's
// words, and one key signs for all.
func (a *Authenticator) instanceIssuers() []string {
	issuers := []string{"https://" + a.frontendHost}
	if own := "https://" + a.key.Host; !slices.Contains(issuers, own) {
		issuers = append(issuers, own)
	}
	switch proxy := strings.TrimRight(a.config.ProxyURL, "/"); {
	case isWebURL(proxy):
		issuers = append([]string{proxy}, issuers...)
	case proxy != "":
		for _, party := range a.config.Origins() {
			issuers = append(issuers, party+proxy)
		}
	}
	return issuers
}

// Instance returns what a policy must know to send browsers to the instance and
// back: where they sign in, which is the configured page, or else the instance's
// Account Portal, and the origins whose tokens are accepted.
func (a *Authenticator) Instance() policy.Instance {
	i := policy.Instance{SignInURL: a.config.SignInURL, Origins: slices.Clone(a.config.AuthorizedParties)}
	if i.SignInURL == "" && a.key.Host != "" {
		i.SignInURL = a.key.accountsURL() + "/sign-in"
	}
	return i
}
