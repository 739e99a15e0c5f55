// Package jwt verifies the tokens that Clerk signs: session tokens ([Verifier]), and the
// tokens of machines that are JSON Web Tokens ([MachineVerifier]). It decides by the
// token alone: it knows neither requests nor cookies, which are for package session.
//
// What is expected of a token is in [Expected], and the keys come from a [KeySet]:
// [NewStaticKeySet] reads the key of Clerk's dashboard, [ParseKeySet] a JSON Web Key Set,
// and [RemoteKeySet] fetches one and keeps it fresh. A key is fetched for a token that
// names an unknown one, at most once in ten seconds.
//
// A refused token is an [Error], whose reason is Clerk's word where it has one.
package jwt
