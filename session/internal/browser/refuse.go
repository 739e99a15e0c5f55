package browser

import (
	"errors"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

func refuse(reason policy.Reason, why string) error {
	return &jwt.Error{Reason: reason, Err: errors.New(why)}
}
