package setup

import (
	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
	"github.com/clerkgate/clerkgate/session/clerkapi"
)

// Upstream makes the tokens that upstreams receive in place of the user's credentials. A
// [Pool] lets it outlive a gate: it caches tokens that were fetched, and keeps a signing
// key that was generated.
type Upstream struct {
	// Tokens fetches tokens of JWT templates; nil without a secret key.
	Tokens *clerkapi.Tokens
	// Assertions signs assertions about the principal, and serves the public keys at
	// [assertion.Path]; nil if the configuration has no assertion.
	Assertions *assertion.Issuer
}

// NewUpstream makes the tokens and assertions of a configuration.
func NewUpstream(config Config, o Options) (*Upstream, error) {
	u := new(Upstream)
	var err error
	if config.Clerk.SecretKey != "" {
		if u.Tokens, err = session.NewTokens(config.Clerk, o.HTTPClient); err != nil {
			return nil, err
		}
	}
	if config.Assertion != nil {
		if u.Assertions, err = assertion.New(*config.Assertion); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// provide adds what there is to the dependencies of a policy. Tokens are not fetched for
// revoked sessions.
func (u *Upstream) provide(deps *policy.Deps) {
	if u.Tokens != nil {
		deps.Tokens = u.Tokens.Under(deps.Revocations)
	}
	if u.Assertions != nil {
		deps.Assertions = u.Assertions
	}
}
