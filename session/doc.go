// Package session authenticates requests: it finds Clerk's session tokens and machine
// tokens in a request, verifies them and reads their claims into a [policy.Principal].
// Package jwt verifies tokens without a request.
//
// [Authenticator.Authenticate] decides by the token in the Authorization header, if
// there is one. Otherwise it decides as Clerk does for browsers: by the answer of a
// handshake, satellite domains and the session cookies. Where those have expired, the
// session is refreshed at the Backend API, or the browser is redirected to the Frontend
// API and back: a handshake.
//
// Verifying a session token makes no call to Clerk. [jwt.RemoteKeySet] refreshes the
// instance's public keys in the background; a token with an unknown key ID may wait for
// one fetch, which is shared, and not repeated for ten seconds.
//
// The default is stricter than Clerk's own library on the points that
// [Config.ReferenceCompat] reverts. The package authenticates only: whether the
// principal is allowed is decided by package policy.
package session
