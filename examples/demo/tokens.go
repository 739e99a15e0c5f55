package main

import (
	"crypto/rand"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// token signs somebody in and returns a session token.
func (s *stack) token(user string, t clerktest.Token) string {
	session, err := s.clerk.SignIn(user)
	if err != nil {
		panic(err) // the people are those of clerktest
	}
	return s.clerk.Mint(session, t)
}

// of makes tokens of a user who just signed in.
func of(user string) func(*stack) string {
	return func(s *stack) string { return s.token(user, clerktest.Token{}) }
}

// stale makes tokens of a user who was last verified three hours ago (claim
// fva, in minutes; no second factor).
func stale(user string) func(*stack) string {
	return func(s *stack) string {
		return s.token(user, clerktest.Token{Claims: map[string]any{"fva": []int{180, -1}}})
	}
}

// somebody makes a token of a user whom no limit has counted yet.
func somebody(s *stack) string {
	return s.token("user_sol", clerktest.Token{Claims: map[string]any{"sub": "user_" + rand.Text()}})
}
