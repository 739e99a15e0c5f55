package caddyplugin

import (
	"context"
	"errors"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// someone stands in for what a policy needs only to decide.
type someone struct{}

func (someone) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonNoDecision}
}

func (someone) Take(context.Context, time.Time, []policy.LimitCheck, []policy.LimitResult) error {
	return errors.ErrUnsupported
}

func (someone) CreatedAt(context.Context, string) (time.Time, error) {
	return time.Time{}, errors.ErrUnsupported
}

func (someone) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "", policy.ReasonClerkUnavailable, errors.ErrUnsupported
}

func (someone) Assertion(*policy.Principal, time.Time) (string, error) {
	return "", errors.ErrUnsupported
}
