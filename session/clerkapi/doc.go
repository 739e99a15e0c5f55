// Package clerkapi calls Clerk's Backend API about sessions: for the time at which one
// began ([Sessions]), and for tokens of JWT templates ([Tokens]). Answers are cached while
// they are valid, and calls under way are shared. All calls are bounded: few are made
// while Clerk fails, and none while it says Retry-After.
//
// session.NewSessions and session.NewTokens make both from a configuration, with bounds
// that all callers of an instance share.
package clerkapi
