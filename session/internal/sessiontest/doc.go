// Package sessiontest has what answers in Clerk's place in the tests of package session
// and of the packages below it. It imports none of them but the tokens of package mint.
package sessiontest

// object is JSON under construction.
type object = map[string]any
