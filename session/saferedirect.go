package session

import (
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// IsSafeRedirect reports whether a browser may be sent to an address: a rooted
// path of the page's own origin, or an absolute URL of an allowed origin. An
// origin is written scheme://host[:port]; "*." at the start of its host stands
// for one label or more. What browsers and servers could read in different ways
// is not safe.
func IsSafeRedirect(target string, origins []string) bool {
	return weburl.IsSafeRedirect(target, origins)
}
