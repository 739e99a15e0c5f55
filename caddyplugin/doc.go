// Package caddyplugin guards sites that Caddy serves with the policy of
// clerkgate. It translates only: Caddy's requests to the policy's, the policy's
// decisions to Caddy's responses, and the Caddyfile to the policy document.
//
// Its modules are the handler http.handlers.clerk_auth ([Handler]), the request
// matcher http.matchers.clerk ([Matcher]) and the app clerk ([App]), which holds
// what all handlers share.
package caddyplugin
