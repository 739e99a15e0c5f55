// Package assertion signs who asks: short-lived JSON Web Tokens that an upstream
// can verify by itself, with the keys that [Issuer.ServeHTTP] publishes. What
// they say is what the policy established; the package judges nothing.
package assertion
