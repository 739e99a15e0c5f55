// Package caddyplugin guards sites that Caddy serves with the policy of
// clerkgate. It translates only: Caddy's requests to the policy's, the policy's
// decisions to Caddy's responses, and the Caddyfile to the policy document.
//
// Its modules are the handlers http.handlers.clerk_auth ([Handler]),
// http.handlers.clerk_sessions ([Sessions]) and
// http.handlers.clerk_frontend_api ([FrontendAPI]), the request
// matcher http.matchers.clerk ([Matcher]) and the app clerk ([App]), which holds
// what all handlers share.
package caddyplugin
