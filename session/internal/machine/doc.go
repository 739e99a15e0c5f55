// Package machine authenticates machines: by API keys, M2M tokens and OAuth access tokens.
// Those that are JSON Web Tokens are verified by package jwt; opaque ones by Clerk's
// Backend API, whose answer is cached for a moment.
package machine
