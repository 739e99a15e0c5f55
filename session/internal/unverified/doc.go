// Package unverified takes JSON Web Tokens apart (RFC 7519, in the compact serialization
// of RFC 7515). Nothing that it returns is verified: that is for package jwt.
package unverified
