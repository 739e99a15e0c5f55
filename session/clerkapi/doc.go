// Package clerkapi asks Clerk's Backend API about sessions: when one began ([Sessions]),
// and for the tokens of JWT templates ([Tokens]). Answers are kept for as long as they
// count, calls under way are shared, and all calls are bounded: Clerk is asked seldom
// while it fails, and left alone for as long as it asks.
//
// A gate has these from package session, which shares the bounds of an instance's calls
// among all who make them.
package clerkapi
