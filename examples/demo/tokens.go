package main

import (
	"crypto/rand"
	"maps"
	"time"

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

// tokenLifetime is how long tokens for the command line hold. Those of browsers
// hold for a minute, and are renewed.
const tokenLifetime = 10 * time.Minute

// lasting are claims, and that the token holds for tokenLifetime.
func lasting(claims map[string]any) clerktest.Token {
	all := map[string]any{"exp": time.Now().Add(tokenLifetime).Unix()}
	maps.Copy(all, claims)
	return clerktest.Token{Claims: all}
}

// of makes tokens of a user who just signed in.
func of(user string) func(*stack) string {
	return func(s *stack) string { return s.token(user, lasting(nil)) }
}

// stale makes tokens of a user who was last verified three hours ago (claim
// fva, in minutes; no second factor).
func stale(user string) func(*stack) string {
	return func(s *stack) string {
		return s.token(user, lasting(map[string]any{"fva": []int{180, -1}}))
	}
}

// somebody makes a token of a user whom no limit has counted yet.
func somebody(s *stack) string {
	return s.token("user_sol", lasting(map[string]any{"sub": "user_" + rand.Text()}))
}
