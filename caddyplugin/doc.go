// Package caddyplugin protects sites that Caddy serves with the policy of
// clerkgate. It translates only: Caddy's requests to the policy's, the policy's
// decisions to Caddy's responses, and the Caddyfile to the policy document.
//
// Its modules are the handlers http.handlers.clerk_auth ([Handler]),
// http.handlers.clerk_sessions ([Sessions]), http.handlers.clerk_frontend_api
// ([FrontendAPI]), http.handlers.clerk_webhooks ([Webhooks]) and
// http.handlers.clerk_strip ([Strip]), the request matcher http.matchers.clerk
// ([Matcher]), the log filter caddy.logging.encoders.filter.clerk ([LogFilter]), and
// the app clerk ([App]), which holds the settings that all handlers share.
package caddyplugin
