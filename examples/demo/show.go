package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/clerkgate/clerkgate/internal/sessionpage"
)

// show prints what to open and what to try.
func (s *stack) show(out io.Writer) {
	s.showAddresses(out)
	fmt.Fprintf(out, "\nTry, within %.0f minutes:\n", tokenLifetime.Minutes())
	for _, t := range tries {
		fmt.Fprintf(out, "\n# %d %s\n%s\n", t.status, t.what, t.command(s))
	}
	fmt.Fprintln(out, "\nCtrl-C stops it all.")
}

func (s *stack) showAddresses(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(what, address, note string) { fmt.Fprintf(table, "%s\t%s\t%s\n", what, address, note) }
	fmt.Fprintln(table)
	row("Open", origin(s.ports.Caddy), "the app, through Caddy")
	for _, h := range s.homes {
		switch {
		case h.missing():
			row("", "(no "+h.name+")", h.install)
		case h.err != nil:
			row("", "("+h.name+")", "did not start: "+h.err.Error()+"; "+h.install)
		default:
			row("", origin(h.port(&s.ports)), "the app, through "+h.name)
		}
	}
	row("", origin(s.ports.Caddy)+sessionpage.DefaultPrefix, "where you are signed in, behind every proxy")
	row("", s.clerk.SignInURL(), "sign in as Ada (admin), Max (member) or Sol (no organization)")
	row("Behind", address(s.ports.Upstream), "the app itself: it believes what it is told")
	row("", address(s.ports.Authz), "the ext_authz server (gRPC)")
	row("", address(s.ports.ForwardAuth), "forward auth (HTTP), for nginx and HAProxy")
	row("", address(s.ports.Pages), "the session page, for proxies that only ask")
	row("", s.clerk.URL(), "the local Clerk instance")
	table.Flush() //nolint:errcheck // as with every line here
}

// try is a request for people to make.
type try struct {
	status int // of the answer, the last one
	what   string
	target string
	fields []string // of the header
	token  func(*stack) string
	times  int
}

var tries = []try{
	{status: 200, what: "as nobody, whatever the client says", target: "/", fields: []string{"X-User-Id: user_ada"}},
	{status: 200, what: "as Ada, an admin", target: "/admin", token: of("user_ada")},
	{status: 403, what: "as Max, a member", target: "/admin", token: of("user_max")},
	{status: 401, what: "without a token", target: "/dashboard"},
	{status: 307, what: "to Clerk, as a browser", target: "/dashboard", fields: []string{"Accept: text/html"}},
	{status: 403, what: "as Ada, verified three hours ago", target: "/billing", token: stale("user_ada")},
	{status: 400, what: "in disguise", target: "/%2561dmin"},
	{status: 429, what: "after five", target: "/api/items", token: somebody, times: 6},
}

// command is the request for a shell.
func (t *try) command(s *stack) string {
	var c strings.Builder
	c.WriteString("curl -i ")
	if t.times > 0 {
		c.Reset()
		fmt.Fprintf(&c, "for i in $(seq %d); do curl -s -o /dev/null -w '%%{http_code} ' ", t.times)
	}
	for _, field := range t.header(s) {
		c.WriteString("-H '" + field + "' ")
	}
	c.WriteString(origin(s.ports.Caddy) + t.target)
	if t.times > 0 {
		c.WriteString("; done; echo")
	}
	return c.String()
}

// header are the fields of the request, with a fresh token.
func (t *try) header(s *stack) []string {
	if t.token == nil {
		return t.fields
	}
	return append(slices.Clone(t.fields), "Authorization: Bearer "+t.token(s))
}
