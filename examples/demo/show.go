package main

import (
	"fmt"
	"io"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// show prints what to open and what to try.
func (s *stack) show(out io.Writer) {
	app := origin(s.ports.Caddy)
	fmt.Fprintf(out, "\n  Open      %s   the app, through Caddy\n", app)
	if s.envoy {
		fmt.Fprintf(out, "            %s   the app, through Envoy\n", origin(s.ports.Envoy))
	} else {
		fmt.Fprintf(out, "            (no envoy on the PATH: the ext_authz server runs without one)\n")
	}
	fmt.Fprintf(out, "            %s   sign in as Ada (admin), Max (member) or Sol (no organization)\n", s.clerk.SignInURL())
	fmt.Fprintf(out, "  Behind    %s the app itself, %s ext_authz (gRPC)\n", address(s.ports.Upstream), address(s.ports.Authz))
	fmt.Fprintf(out, "\n  Try, within %s:\n\n", tokenLifetime)
	ada, max := s.token("user_ada"), s.token("user_max")
	for _, line := range []struct{ what, command string }{
		{"200 anonymous", "curl -i " + app + "/"},
		{"200 as Ada, an admin", "curl -i -H 'Authorization: Bearer " + ada + "' " + app + "/admin"},
		{"403 as Max, a member", "curl -i -H 'Authorization: Bearer " + max + "' " + app + "/admin"},
		{"401 without a token", "curl -i " + app + "/dashboard"},
		{"307 in a browser", "curl -i -H 'Accept: text/html' " + app + "/dashboard"},
		{"400 in disguise", "curl -i " + app + "/%2561dmin"},
		{"429 after five", "for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{http_code} ' -H 'Authorization: Bearer " + max + "' " + app + "/api/items; done; echo"},
	} {
		fmt.Fprintf(out, "  # %s\n  %s\n\n", line.what, line.command)
	}
	fmt.Fprintln(out, "  Ctrl-C stops it all.")
}

// token signs somebody in and returns the session token.
func (s *stack) token(user string) string {
	session, err := s.clerk.SignIn(user)
	if err != nil {
		panic(err) // the people are those of clerktest
	}
	return s.clerk.Mint(session, clerktest.Token{})
}
