// Package session establishes who is asking: it takes Clerk's session tokens
// out of a request, verifies them locally and reads their claims into a
// [policy.Principal].
//
// [Authenticator] answers for a request, in this order:
//
//  1. its credentials: one Authorization field with scheme Bearer, or else the
//     session cookies;
//  2. the token, by [Verifier.Verify]: form, header, key, signature, claims;
//  3. for cookies, Clerk's client_uat cookie, which says since when the browser
//     is signed in, or that it is signed out.
//
// Nothing on this path calls Clerk. [RemoteKeySet] keeps the instance's public
// keys fresh in the background; a token that names an unknown key may wait for
// one fetch, which all who wait share and which is not repeated for ten
// seconds.
//
// The default is stricter than Clerk's own library on the points that
// [Config.ReferenceCompat] lists and takes back. The package never compares a
// role or a rule: whether the principal may pass is for package policy.
package session
