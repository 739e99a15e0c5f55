// Package browser tells who is asking by the session of a browser, as Clerk decides for
// browsers. [Authenticator.ByCookies] has the steps in their order, a file for each: the
// choice between session cookies, the answer of a handshake, satellite domains, the two
// cookies of a session, its token, pages of other origins, and organizations by path.
// A token that has expired is refreshed at the Backend API, or the browser is sent to
// the Frontend API and back: a handshake.
package browser
