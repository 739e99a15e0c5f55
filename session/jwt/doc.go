// Package jwt verifies the tokens that Clerk signs: session tokens ([Verifier]), and the
// tokens of machines that are JSON Web Tokens ([MachineVerifier]). It decides by the
// token alone, without request or cookies: those are for package session.
//
// [Expected] says which claims a token must have. The keys come from a [KeySet]:
// [NewStaticKeySet] reads the PEM key of Clerk's dashboard, [ParseKeySet] a JSON Web Key
// Set, and [RemoteKeySet] fetches and refreshes one. A token with an unknown key ID
// causes a fetch, at most once in ten seconds.
//
// For a token that is invalid or expired the error is an [Error], with Clerk's own reason
// where it has one.
package jwt
