// Package clerktest is a Clerk instance that runs here: keys, people, sessions
// and tokens, with as much of the Backend API and the Frontend API as the gate
// calls. Tests, the demo and the examples use it in place of an account.
//
// Both APIs share one listener. The host in the publishable key is the
// instance's name in tokens (claim iss) and need not resolve: a configuration
// reaches the instance by api_url, and people by [Instance.SignInURL].
//
// There is no password anywhere. Never expose it.
package clerktest
