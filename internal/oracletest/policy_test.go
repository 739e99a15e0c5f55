package oracletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// document is the policy of all gates. What it does not guard is open, so that
// every way around a guard shows.
const document = `
%sclerk:
  publishable_key: %s
  jwt_key: |
%s
limits:
  login: { limit: %d, window: 1h, key: [ip] }
rules:
  - name: admin-host
    match: { host: [admin.test] }
    require: { role: org:admin }
  - name: admin
    match: { path: ["/admin(.*)"] }
    require: { role: org:admin }
  - name: files
    match: { path: ["/files/(.*)"] }
    require:
      expression: '!request.path.startsWith("/files/secret/") || principal.org_role == "org:admin"'
  - name: dashboard
    match: { path: [/dashboard] }
  - name: report
    match: { path: [/report.php] }
  - name: organization
    match: { path: ["/orgs/:slug", "/orgs/:slug/(.*)"] }
    require: { organization: { slug: ":slug" } }
  - name: writing
    match: { path: ["/api/posts(.*)"], method: [POST, DELETE] }
    require: { role: org:admin }
  - name: login
    match: { path: [/api/login] }
    access: public
    limits: [login]
  - name: static
    match: { path: ["/assets/(.*)"], static_files: true }
    access: bypass
default: { access: public }
`

// loginLimit is how often one address may ask for /api/login.
const loginLimit = 5

// mounted are the settings of an application that has them in Next.js, too.
const (
	mountedAt = "/app"
	mounted   = "base_path: " + mountedAt + "\nlocales: [en, fr]\n"
)

// policyFor is the document of an instance's gates, with further settings in front.
func policyFor(clerk *clerktest.Instance, settings string) string {
	pem := "    " + strings.ReplaceAll(strings.TrimSpace(clerk.PublicKeyPEM()), "\n", "\n    ")
	return fmt.Sprintf(document, settings, clerk.PublishableKey(), pem, loginLimit)
}

// caller is somebody who sends requests.
type caller struct {
	name            string
	token           string
	user, role, org string
	identity        map[string]string // what the upstream is told, by folded name
}

// anonymous has no token.
var anonymous = &caller{name: "anonymous"}

// guards say, by logical handler, who may have it served. A handler that is not
// here is open.
var guards = map[string]func(c *caller, r record) bool{
	"admin":       func(c *caller, _ record) bool { return c.role == "org:admin" },
	"secret":      func(c *caller, _ record) bool { return c.role == "org:admin" },
	"posts-write": func(c *caller, _ record) bool { return c.role == "org:admin" },
	"files":       func(c *caller, _ record) bool { return c.user != "" },
	"report":      func(c *caller, _ record) bool { return c.user != "" },
	"dashboard":   func(c *caller, _ record) bool { return c.user != "" },
	// The policy names no list of all organizations.
	"orgs": func(c *caller, r record) bool { return r.Slug == "" || c.org == r.Slug },
}

// mayBeServed is the policy in plain words: whether the caller may have had this
// served, as the server tells it.
func mayBeServed(c *caller, r record) bool {
	if bareHost(r.Host) == "admin.test" { // the first rule decides
		return c.role == "org:admin"
	}
	guard := guards[r.Handler]
	return guard == nil || guard(c, r)
}

// bareHost is a host name without what makes no difference to a server.
func bareHost(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	return strings.TrimRight(host, ".")
}

// identityHeaders are the default set, folded.
var identityHeaders = []string{"x-user-id", "x-session-id", "x-org-id", "x-org-slug", "x-org-role", "x-org-permissions", "x-auth-type"}

// neverForwarded are headers by which servers and frameworks are told another
// method, path or host, or to skip their own checks, folded.
var neverForwarded = []string{
	"x-original-url", "x-rewrite-url", "x-original-uri", "x-forwarded-uri", "x-forwarded-prefix", "x-forwarded-path", "x-replaced-path",
	"x-http-method-override", "x-http-method", "x-method-override", "x-middleware-subrequest", "x-original-host", "x-original-method",
	"x-forwarded-method", "x-envoy-original-path", "x-matched-path", "x-invoke-path", "forwarded",
}

// fold makes one name of all that servers may take for it: CGI knows neither case
// nor punctuation.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, name)
}

// wrongIdentity says how the identity that a server sees differs from the
// caller's: it is all of it, or none.
func wrongIdentity(c *caller, r record) string {
	seen := map[string][]string{}
	// The gate judged the Host field too, which a server may put behind the host of
	// a target like //admin.test/.
	hosts := []string{bareHost(r.Host)}
	for _, field := range r.Headers {
		if fold(field[0]) == "host" {
			hosts = append(hosts, bareHost(field[1]))
		}
	}
	for _, field := range r.Headers {
		name := fold(field[0])
		switch {
		case slices.Contains(neverForwarded, name):
			return "the server got " + fold(field[0])
		case name == "x-forwarded-host" && !slices.Contains(hosts, bareHost(field[1])):
			return "the server was told of another host"
		case slices.Contains(identityHeaders, name) && field[1] != "":
			seen[name] = append(seen[name], field[1])
		}
	}
	if len(seen) == 0 {
		if guards[r.Handler] != nil && c.token != "" {
			return "the server was not told who asks"
		}
		return ""
	}
	for _, name := range identityHeaders {
		switch values := seen[name]; {
		case len(values) > 1:
			return fmt.Sprintf("the server got %s %d times", name, len(values))
		case len(values) == 0 && c.identity[name] != "", len(values) == 1 && sorted(values[0]) != sorted(c.identity[name]):
			return fmt.Sprintf("the server got %s %q, not %q", name, values, c.identity[name])
		}
	}
	return ""
}

// sorted is a list of permissions in order.
func sorted(list string) string {
	parts := strings.Split(list, ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
