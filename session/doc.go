// Package session establishes who is asking: it takes Clerk's session tokens
// and machine tokens out of a request, verifies them and reads what they say into
// a [policy.Principal]. Package jwt verifies tokens without a request.
//
// [Authenticator.Authenticate] answers for a request. With an Authorization field,
// the token in it decides. Without one, the steps are those by which Clerk decides
// for browsers: the answer of a handshake, satellite domains, the session cookies,
// and where those have expired, a refresh at the Backend API or a handshake with the
// Frontend API, which sends the browser there and back.
//
// A token seen before costs no call to Clerk. [jwt.RemoteKeySet] keeps the instance's
// public keys fresh in the background; a token that names an unknown key may wait
// for one fetch, which all who wait share and which is not repeated for ten
// seconds.
//
// The default is stricter than Clerk's own library on the points that
// [Config.ReferenceCompat] takes back. The package never compares a role or a rule:
// whether the principal may pass is for package policy.
package session
