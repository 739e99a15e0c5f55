// Package sessionpage lets people see where they are signed in and sign out
// there: an HTTP handler that answers with a plain page or with JSON, for apps
// that have no Clerk front end of their own.
//
// Everybody sees and ends their own sessions only: those of the user that the
// verified session token of the request names. Ids from the client are looked up
// at Clerk, and one that belongs to somebody else is answered as one that does
// not exist.
//
// Below its prefix the handler has these routes:
//
//	GET  <prefix>                      the list
//	POST <prefix>/{id}/revoke          ends one session
//	POST <prefix>/sign-out             ends the session of the request
//	POST <prefix>/sign-out-everywhere  ends all sessions
//	GET  <prefix>/signed-out           says that signing out is done
package sessionpage
