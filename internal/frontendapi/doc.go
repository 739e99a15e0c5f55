// Package frontendapi proxies Clerk's Frontend API under a path of the site, for
// domains on which Clerk cannot have a host of its own.
//
// Requests below the path of the proxy URL are forwarded to one upstream, fixed when the
// handler is made, with three header fields that Clerk requires: Clerk-Proxy-Url,
// Clerk-Secret-Key and the client's address in X-Forwarded-For. Fields of those names
// from the client are removed. The secret key is in no log, error or response, and is
// sent to no other host: redirects are not followed.
//
// It runs before the policy: signing in happens through it.
package frontendapi
