package session

import (
	"errors"
	"net/http"
	"slices"

	"github.com/clerkgate/clerkgate/policy"
)

// keyOutages are the reasons for which it cannot be told whether a token is valid
// that is verified by keys. That Clerk refuses the secret key when it is asked for
// them is none: the reference then has the token for invalid.
var keyOutages = []policy.Reason{policy.ReasonKeysUnavailable, policy.ReasonCanceled}

// isKeyOutage reports whether an error says nothing about a token that is verified
// by keys.
func isKeyOutage(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains(keyOutages, e.Reason)
}

// isOutage reports whether an error says nothing about a token, of whatever kind:
// all that is answered with 503. Of an opaque token, Clerk says nothing either where
// it refuses the secret key.
func isOutage(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason.Status() == http.StatusServiceUnavailable
}
