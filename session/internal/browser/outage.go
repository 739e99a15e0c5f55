package browser

import (
	"slices"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// keyOutages are the reasons for which it cannot be told whether a token is valid
// that is verified by keys. That Clerk refuses the secret key when it is asked for
// them is none: the reference then has the token for invalid.
var keyOutages = []policy.Reason{policy.ReasonKeysUnavailable, policy.ReasonCanceled}

// isKeyOutage reports whether an error says nothing about a token that is verified
// by keys.
func isKeyOutage(err error) bool {
	return slices.Contains(keyOutages, jwt.ReasonOf(err))
}
