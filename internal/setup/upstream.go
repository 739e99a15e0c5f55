package setup

import (
	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
	"github.com/clerkgate/clerkgate/session/clerkapi"
)

// Upstream makes what upstreams receive in place of the user's credentials. A [Pool]
// lets it outlive a gate: it keeps tokens that were fetched, and a signing key that
// was made.
type Upstream struct {
	// Tokens gets tokens of JWT templates; nil without a secret key.
	Tokens *clerkapi.Tokens
	// Assertions signs who asks, and serves the public keys at
	// [assertion.Path]; nil where nothing is signed.
	Assertions *assertion.Issuer
}

// NewUpstream makes what the configuration wants.
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

// lend hands over what there is, to those who know what has ended.
func (u *Upstream) lend(deps *policy.Deps) {
	if u.Tokens != nil {
		deps.Tokens = u.Tokens.Under(deps.Revocations)
	}
	if u.Assertions != nil {
		deps.Assertions = u.Assertions
	}
}
