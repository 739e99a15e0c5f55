// Package browser authenticates browsers by their cookies, as Clerk does.
// [Authenticator.ByCookies] has the steps in their order, a file for each: the choice
// between session cookies, the answer of a handshake, satellite domains, the two cookies
// of a session, its token, pages of other origins, and organizations by path. An expired
// token is refreshed at the Backend API, or the browser is redirected to the Frontend API
// and back: a handshake.
package browser
