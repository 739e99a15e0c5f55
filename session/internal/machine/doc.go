// Package machine tells who is asking by the tokens of machines: API keys, M2M tokens and
// OAuth access tokens. Those that are JSON Web Tokens are verified by package jwt; about
// opaque ones Clerk is asked, and what it says is remembered for a moment.
package machine
