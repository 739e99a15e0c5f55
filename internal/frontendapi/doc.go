// Package frontendapi proxies Clerk's Frontend API under a path of the site, for
// domains on which Clerk cannot have a host of its own.
//
// Requests below the path of the proxy URL go to one upstream, fixed when the
// handler is made, with three fields that Clerk asks for: Clerk-Proxy-Url,
// Clerk-Secret-Key and the client's address in X-Forwarded-For. What a client
// sends under those names goes no further. The secret key is in no log, error or
// answer, and goes to no other host: redirects are not followed.
//
// It runs before the policy: signing in happens through it.
package frontendapi
