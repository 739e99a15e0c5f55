package machine

import (
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

func digestOf(token string) string {
	id := fingerprint.Of(token)
	return string(id[:])
}
