// Package clerkgate plugs clerkgate into Caddy: a build that imports it has the
// handler clerk_auth, the clerk global option and the clerk request matcher.
//
//	xcaddy build --with github.com/clerkgate/clerkgate
//
// The packages below it stand on their own: policy decides, session verifies
// tokens, ratelimit counts, httpgate protects handlers, service runs a whole document,
// extauthz answers Envoy. None of them imports Caddy.
package clerkgate

import _ "github.com/clerkgate/clerkgate/caddyplugin" // registers its modules
