package session

import "github.com/clerkgate/clerkgate/session/internal/mint"

// now is the time of all tests that do not run in a bubble of their own.
var now = mint.Now

// object is JSON under construction.
type object = map[string]any
