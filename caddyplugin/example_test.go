package caddyplugin_test

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the Caddyfile's adapter

	_ "github.com/clerkgate/clerkgate/caddyplugin" // registers the modules
)

// A mistake in a Caddyfile is told with its line, when it is adapted.
func Example() {
	const caddyfile = `app.example.com {
	clerk_auth {
		publishable_key pk_test_Y2xlcmsuZXhhbXBsZS5jb20k
		public /
		rule admin {
			path /admin(.*)
			roles org:admin
		}
	}
}
`
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	fmt.Println(err)
	// Output:
	// parsing caddyfile tokens for 'clerk_auth': unrecognized subdirective "roles" of rule "admin"; did you mean "role"?, at Caddyfile:7
}
