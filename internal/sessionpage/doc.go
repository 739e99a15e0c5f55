// Package sessionpage is an HTTP handler with which users see their sessions and sign
// out of them. It answers with an HTML page or with JSON, for apps that have no Clerk
// front end of their own.
//
// Users see and end only their own sessions: those of the user in the verified session
// token of the request. Session IDs from the client are looked up at Clerk, and one of
// another user is answered like one that does not exist.
//
// Below its prefix the handler has these routes:
//
//	GET  <prefix>                      the list
//	POST <prefix>/{id}/revoke          ends one session
//	POST <prefix>/sign-out             ends the session of the request
//	POST <prefix>/sign-out-everywhere  ends all sessions
//	GET  <prefix>/signed-out           the page after signing out
package sessionpage
