package setup

import (
	"context"
	"errors"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// nobody stands for the pieces of a configuration that could not be made. It signs
// nobody in, and nothing else either.
type nobody struct{}

// noDeps is nobody for everything that the configuration names, so that the policy
// is not blamed for lacking it.
func noDeps(config *Config, now func() time.Time) policy.Deps {
	deps := policy.Deps{Authenticator: nobody{}, Limiter: nobody{}, Now: now}
	if config.Clerk.SecretKey != "" {
		deps.Sessions, deps.Tokens = nobody{}, nobody{}
	}
	if config.Assertion != nil {
		deps.Assertions = nobody{}
	}
	return deps
}

func (nobody) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Reason: policy.ReasonSessionMissing}
}

// Take counts nothing, and lets nothing pass.
func (nobody) Take(context.Context, time.Time, []policy.LimitCheck, []policy.LimitResult) error {
	return errors.ErrUnsupported
}

// CreatedAt knows nothing.
func (nobody) CreatedAt(context.Context, string) (time.Time, error) {
	return time.Time{}, errors.ErrUnsupported
}

// Token gets nothing.
func (nobody) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "", policy.ReasonClerkUnavailable, errors.ErrUnsupported
}

// Assertion signs nothing.
func (nobody) Assertion(*policy.Principal, time.Time) (string, error) {
	return "", errors.ErrUnsupported
}
