// Package session establishes who is asking: it takes Clerk's session tokens
// and machine tokens out of a request, verifies them and reads what they say into
// a [policy.Principal].
//
// [Authenticator.Authenticate] answers for a request. With an Authorization field
// it is the token in it that counts. Without, byCookies goes through the steps by
// which Clerk decides for browsers, one file each:
//
//	handshake_resolve.go  the answer of a handshake, signed or for a nonce
//	satellite.go          satellite and primary domains, browsers in development
//	bycookies.go          the session cookies and the token in them
//	referrer.go           pages reached from another origin
//	orgsync.go            paths that name an organization
//	tokenfailed.go        tokens that do not hold, and what may be done about it
//	refresh.go            renewal at the Backend API
//	handshake_build.go    renewal by sending the browser to the Frontend API
//
// A token seen before costs no call to Clerk. [RemoteKeySet] keeps the instance's
// public keys fresh in the background; a token that names an unknown key may wait
// for one fetch, which all who wait share and which is not repeated for ten
// seconds.
//
// The default is stricter than Clerk's own library on the points that type
// relaxations lists and [Config.ReferenceCompat] takes back. The package never
// compares a role or a rule: whether the principal may pass is for package policy.
package session
