package caddyplugin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/setup"
)

// mistakes are what people write by mistake, as a rule of a YAML document and of a
// Caddyfile, and what they are told.
var mistakes = map[string]struct {
	yaml, caddy string // lines of the document, or of clerk_auth
	want        string // of an error, or of a warning with its ID
	at, line    string // line and column in the document, line in the Caddyfile
}{
	"no leading slash":              {rule("path: [admin/:path*]"), caddyRule("path admin/:path*"), `write "/admin/:path*"`, "5:21", "5"},
	"a glob":                        {rule("path: [/admin/*]"), caddyRule("path /admin/*"), `write "/admin/(.*)"`, "5:21", "5"},
	"a file name of Next.js":        {rule(`path: ["/org/[id]/settings(.*)"]`), caddyRule("path /org/[id]/settings(.*)"), `write "/org/:id/settings(.*)"`, "5:21", "5"},
	"the rest, in Next.js":          {rule(`path: ["/docs/[[...slug]]"]`), caddyRule("path /docs/[[...slug]]"), `write "/docs/:slug*"`, "5:21", "5"},
	"a route group":                 {rule("path: /(dashboard)/settings"), caddyRule("path /(dashboard)/settings"), `write "/settings"`, "5:20", "5"},
	"doubled backslashes":           {rule(`path: ['/orders/:id(\\d+)']`), caddyRule(`path /orders/:id(\\d+)`), "two backslashes", "5:21", "5"},
	"a URL":                         {rule(`path: "https://app.example.com/admin"`), caddyRule("path https://app.example.com/admin"), `write "/admin"`, "5:20", "5"},
	"a query":                       {rule(`path: "/admin?tab=1"`), caddyRule("path /admin?tab=1"), `write "/admin"`, "5:20", "5"},
	"an unclosed parenthesis":       {rule(`path: "/admin(.*"`), caddyRule("path /admin(.*"), "never closed", "5:20", "5"},
	"a method that does not exist":  {rule("path: /x, method: [FETCH]"), caddyRule("path /x\nmethod FETCH"), `"FETCH" is not a method`, "5:33", "6"},
	"a limit that nothing names":    {rule("path: /x") + "limits:\n  per-ip: { limit: 2, window: 1m, key: ip }\n", caddyRule("path /x") + "limit per-ip 2 per 1m by ip\n", "is used by no rule", "7:11", "7"},
	"a limit that does not exist":   {rule("path: /x", "limits: [per-user]"), caddyRule("path /x\nlimits per-user"), `there is no limit "per-user"`, "6:14", "6"},
	"a claim with a sign":           {rule("path: /x", `require: { claims: { metadata.role: ["=", admin] } }`), caddyRule("path /x\nclaim metadata.role = admin"), `"=", which is not a value`, "6:24", "6"},
	"a role with a word":            {rule("path: /x", "require: { role: [is, admin] }"), caddyRule("path /x\nrole is admin"), `"is" is not a value`, "6:23", "6"},
	"a field that does not exist":   {rule("path: /x", `require: { expression: "principal.email == 'x'" }`), caddyRule("path /x\nexpression `principal.email == 'x'`"), `principal has no "email"`, "6:28", "6"},
	"an expression of no boolean":   {rule("path: /x", `require: { expression: "principal.user_id" }`), caddyRule("path /x\nexpression principal.user_id"), "not a boolean", "6:28", "6"},
	"a public rule before":          {"rules:\n  - { name: all, match: { path: \"/(.*)\" }, access: public }\n  - { name: admin, match: { path: /admin }, require: { role: org:admin } }\n", "public /(.*)\n" + caddyRule("path /admin"), "protects nothing", "5:5", "5"},
	"the same name":                 {"rules:\n  - { name: a, match: { path: /a } }\n  - { name: a, match: { path: /b } }\n", caddyRule("path /a") + caddyRule("path /b"), `"a"`, "5:13", "7"},
	"a misspelt word":               {"defualt: { access: deny }\n", "defualt deny\n", `did you mean "default"?`, "3:1", "4"},
	"a wrong duration":              {rule("path: /x", "freshness: { max_token_age: 1hour }"), caddyRule("path /x\nmax_token_age 1hour"), "1hour", "6:33", "6"},
	"a parameter that is not there": {rule("path: /x", `require: { user: ":id" }`), caddyRule("path /x\nuser :id"), "no parameter", "6:22", "6"},
	"a warning that is not there":   {"ignore_warnings: [default-publik]\n", "ignore_warnings default-publik\n", `did you mean "default-public"?`, "3:19", "4"},
}

func rule(match string, more ...string) string {
	text := "rules:\n  - name: a\n    match: { " + match + " }\n"
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

func caddyRule(lines string) string { return "rule a {\n" + lines + "\n}\n" }

// What people get wrong most often is told with its place, before anything runs.
func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	t.Parallel()
	for name, c := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "clerk:\n  { publishable_key: pk_live_Y2xlcmsuZXhhbXBsZS5jb20k, authorized_parties: [https://app.example.com] }\n" + c.yaml
			_, _, err := setup.Load("gate.yaml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "gate.yaml:"+c.at+": ") {
				t.Errorf("the document: %v, want %s at %s", err, c.want, c.at)
			}
			got := adapted(t, ":80 {\nclerk_auth {\npublishable_key pk_live_Y2xlcmsuZXhhbXBsZS5jb20k\n"+c.caddy+"}\n}\n")
			if !strings.Contains(got, c.want) || !strings.Contains(got, fmt.Sprintf("Caddyfile:%s", c.line)) {
				t.Errorf("the Caddyfile: %s, want %s at line %s", got, c.want, c.line)
			}
		})
	}
}
