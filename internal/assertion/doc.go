// Package assertion issues signed statements about the principal of a request:
// short-lived JSON Web Tokens (RFC 7519) that an upstream can verify itself, with the
// keys that [Issuer.ServeHTTP] publishes. It makes no decision.
package assertion
