package caddyplugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/setup"
)

const publishable = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k" // of example.com

// instanceMistakes are those about the instance and what runs beside: whole
// documents, and whole Caddyfiles of which each is told when it is adapted, when it
// is provisioned, or in the log.
var instanceMistakes = map[string]struct {
	yaml, caddy string
	want        string
	at          string // line and column in the document
	line        string // in the Caddyfile
}{
	"a secret key for the publishable one": {"clerk:\n  publishable_key: sk_live_abcdefghijklmnop\n", gateOf("publishable_key sk_live_abcdefghijklmnop"), "this is a secret key (swap publishable_key and secret_key)", "2:20", "3"},
	"a party with a path":                  {clerkYAML("authorized_parties: [https://app.example.com/x]"), clerkCaddy("authorized_parties https://app.example.com/x"), "is not an origin (write scheme and host alone", "3:24", "4"},
	"a guarded sign-in page":               {clerkYAML("sign_in_url: /login"), clerkCaddy("sign_in_url /login"), "is itself protected, by default, so nobody could sign in (add /login(.*) to a public rule)", "3:16", "4"},
	"a guarded sign-in page, by its URL":   {clerkYAML("sign_in_url: https://app.example.com/login", "authorized_parties: [https://app.example.com]"), clerkCaddy("sign_in_url https://app.example.com/login", "authorized_parties https://app.example.com"), "is itself protected", "3:16", "4"},
	"another domain":                       {clerkYAML("authorized_parties: [https://app.other.com]"), clerkCaddy("authorized_parties https://app.other.com"), "[instance-domain]", "2:20", "3"},
	"a role without its prefix":            {clerkYAML("authorized_parties: [https://app.example.com]") + rule("path: /x", "require: { role: admin }"), clerkCaddy("authorized_parties https://app.example.com", "rule a {", "path /x", "role admin", "}"), "[role-form]", "7:22", "7"},
	"a permission of no feature":           {clerkYAML("authorized_parties: [https://app.example.com]") + rule("path: /x", "require: { any: [{ role: org:admin }, { permission: read }] }"), clerkCaddy("authorized_parties https://app.example.com", "rule a {", "path /x", "any {", "role org:admin", "permission read", "}", "}"), "[permission-form]", "7:57", "7"},
	"no parties":                           {clerkYAML(), clerkCaddy(), "[authorized-parties-unset]", "1:1", "2"},
	"a variable that is not set":           {"clerk:\n  publishable_key: ${NO_SUCH_VARIABLE}\n", gateOf("publishable_key {env.NO_SUCH_VARIABLE}"), `the environment variable "NO_SUCH_VARIABLE" is not set`, "2:20", "3"},
	"a variable that is not set, in text":  {"clerk:\n  publishable_key: ${NO_SUCH_VARIABLE}\n", gateOf("publishable_key {$NO_SUCH_VARIABLE}"), `variable`, "2:20", "3"},
	"a variable in a rule":                 {clerkYAML("authorized_parties: [https://app.example.com]") + rule("path: /x", "require: { user: '${NO_SUCH_VARIABLE}' }"), clerkCaddy("authorized_parties https://app.example.com", "rule a {", "path /x", "user {env.NO_SUCH_VARIABLE}", "}"), `the environment variable "NO_SUCH_VARIABLE" is not set`, "7:22", "7"},
	"a variable of the global option":      {"clerk:\n  publishable_key: ${NO_SUCH_VARIABLE}\n", "{\nclerk {\npublishable_key {env.NO_SUCH_VARIABLE}\n}\n}\n" + gateOf(), `the environment variable "NO_SUCH_VARIABLE" is not set`, "2:20", "3"},
	"a file that cannot be read":           {clerkYAML("jwt_key_file: /no/such.pem"), clerkCaddy("jwt_key {file./no/such.pem}"), "no such file", "3:17", "4"},
	"an HTTP address for Redis":            {clerkYAML("authorized_parties: [https://app.example.com]") + "redis: { url: 'http://redis' }\n", clerkCaddy("redis http://redis"), "redis:// or rediss://", "4:15", "4"},
	"a user for a password":                {clerkYAML("authorized_parties: [https://app.example.com]") + "redis: { url: 'redis://s3cret@redis' }\n", clerkCaddy("authorized_parties https://app.example.com", "redis redis://s3cret@redis"), "[redis-password-missing]", "4:15", "5"},
	"a lifetime that no token has":         {clerkYAML("authorized_parties: [https://app.example.com]") + "revocation: { max_token_lifetime: 1s }\n", clerkCaddy("revocation {", "max_token_lifetime 1s", "}"), "is out of range", "4:35", "4"},
	"a key that is none":                   {clerkYAML("authorized_parties: [https://app.example.com]") + "assertion: { key: hunter2 }\n", clerkCaddy("assertion {", "key hunter2", "}"), "no key in PEM form", "4:19", "5"},
	"a signing secret that is none":        {clerkYAML("webhook_secret: abc"), clerkCaddy("webhook_secret abc"), "whsec_", "3:19", "4"},
	"a token without a secret key":         {clerkYAML("authorized_parties: [https://app.example.com]") + "upstream_token: { template: x }\n", clerkCaddy("upstream_token x"), "set clerk.secret_key", "4:17", "4"},
	"a proxy without an address":           {clerkYAML("authorized_parties: [https://app.example.com]") + "trusted_proxies: [balancer]\n", clerkCaddy("trusted_proxies balancer"), "neither an address nor a CIDR range", "4:19", "4"},
	"a limit that clients dodge":           {clerkYAML("authorized_parties: [https://app.example.com]") + rule("path: /x", "limits: [per-key]") + "limits: { per-key: { limit: 2, window: 1m, key: 'header:X-Api-Key' } }\n", clerkCaddy("authorized_parties https://app.example.com", "limit per-key 2 per 1m by header:X-Api-Key", "rule a {", "path /x", "limits per-key", "}"), "[limit-without-ip]", "7:13", "8"},
	"a default limit that clients dodge":   {clerkYAML("authorized_parties: [https://app.example.com]") + "default: { limits: [per-key] }\nlimits: { per-key: { limit: 2, window: 1m, key: 'header:X-Api-Key' } }\n", clerkCaddy("authorized_parties https://app.example.com", "limit per-key 2 per 1m by header:X-Api-Key", "default protected limits per-key"), "[limit-without-ip]", "4:20", "6"},
}

func gateOf(lines ...string) string {
	return ":80 {\nclerk_auth {\n" + strings.Join(lines, "\n") + "\n}\n}\n"
}

func clerkCaddy(lines ...string) string {
	return gateOf(append([]string{"publishable_key " + publishable}, lines...)...)
}

func clerkYAML(lines ...string) string {
	return strings.Join(append([]string{"clerk:", "publishable_key: " + publishable}, lines...), "\n  ") + "\n"
}

func TestMistakesAboutTheInstanceAreToldWithTheirPlace(t *testing.T) {
	for name, c := range instanceMistakes {
		t.Run(name, func(t *testing.T) {
			_, findings, err := setup.Load("gate.yaml", []byte(c.yaml))
			text := ""
			if err != nil {
				text = err.Error()
			}
			for _, finding := range findings {
				text += "\n" + finding.String()
			}
			if !hasLine(text, "gate.yaml:"+c.at+": ", c.want) {
				t.Errorf("the document: %s, want %s at %s", text, c.want, c.at)
			}
			if told := tellsOf(t, c.caddy); !hasLine(told, c.want, "Caddyfile:"+c.line) {
				t.Errorf("the Caddyfile: %s, want %s at line %s", told, c.want, c.line)
			}
		})
	}
}

// hasLine reports whether a line of the text has all parts.
func hasLine(text string, parts ...string) bool {
lines:
	for line := range strings.Lines(text) {
		for _, part := range parts {
			if at := strings.Index(line, part); at < 0 || strings.HasPrefix(part, "Caddyfile:") && isDigit(line[at+len(part):]) {
				continue lines
			}
		}
		return true
	}
	return false
}

func isDigit(text string) bool { return text != "" && text[0] >= '0' && text[0] <= '9' }

// tellsOf is all that Caddy says of a Caddyfile that is validated.
func tellsOf(t *testing.T, text string) string {
	t.Helper()
	result := adapted(t, text)
	var config caddy.Config
	if json.Unmarshal([]byte(result), &config) != nil {
		return result
	}
	log := filepath.Join(t.TempDir(), "caddy.log")
	output, err := json.Marshal(map[string]string{"output": "file", "filename": log})
	if err != nil {
		t.Fatal(err)
	}
	config.Admin = &caddy.AdminConfig{Disabled: true}
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{WriterRaw: output}}}}
	err = caddy.Validate(&config)
	logged, readErr := os.ReadFile(log)
	if readErr != nil && err == nil {
		t.Fatal(readErr)
	}
	if err != nil {
		return err.Error() + "\n" + string(logged)
	}
	return string(logged)
}

// What is wrong around the handlers names the site, and the line of its clerk_auth:
// Caddy tells modules nothing of where the others stand.
func TestALayoutThatIsRefusedIsToldWithThePlaceOfItsGate(t *testing.T) {
	const other = "other.example.com {\nrespond ok\n}\n" // 3 lines
	for name, c := range map[string]struct{ caddy, want, line string }{
		"a proxy that nobody guards": {other + "app.example.com {\nhandle /app/* {\nclerk_auth {\npublishable_key " + publishable + "\n}\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}\n", "reverse_proxy to 127.0.0.1:1 receives requests", "6"},
		"the second site's":          {"a.example.com {\nclerk_auth {\npublishable_key " + publishable + "\n}\n}\n" + "app.example.com {\nhandle /app/* {\nclerk_auth {\npublishable_key " + publishable + "\n}\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}\n}\n", "site app.example.com", "8"},
		"a matcher too early":        {"app.example.com {\n@m clerk signed_in\nredir @m /x\nclerk_auth {\npublishable_key " + publishable + "\n}\n}\n", "write both into a route block", "4"},
		"what is fixed":              {"app.example.com {\ntry_files {path} /index.html\nclerk_auth {\npublishable_key " + publishable + "\n}\nfile_server\n}\n", "[caddy-path-fixed]", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			if told := tellsOf(t, c.caddy); !hasLine(told, c.want, "Caddyfile:"+c.line) {
				t.Errorf("%s, want %s at line %s", told, c.want, c.line)
			}
		})
	}
}

// What a site's other handlers say of the instance is checked on its line as well.
func TestMistakesOfOtherHandlersAreToldWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ caddy, want, line string }{
		"webhooks":              {":80 {\nclerk_webhooks {\npublishable_key sk_live_abcdefghijklmnop\n}\n}\n", "this is a secret key", "3"},
		"webhooks without any":  {":80 {\nclerk_webhooks {\npublishable_key " + publishable + "\n}\n}\n", "there is no signing secret", "2"},
		"sessions":              {":80 {\nclerk_sessions {\nauthorized_parties https://x/y\n}\n}\n", "is not an origin", "3"},
		"sessions, later":       {":80 {\nclerk_sessions {\npublishable_key {env.NO_SUCH_VARIABLE}\n}\n}\n", "NO_SUCH_VARIABLE", "3"},
		"the proxy":             {":80 {\nclerk_frontend_api {\nproxy_url nonsense\n}\n}\n", "proxy_url", "3"},
		"the global option":     {"{\nclerk {\nredis http://redis\n}\n}\n" + gateOf(), "redis:// or rediss://", "3"},
		"what a neighbour says": {":80 {\nclerk_sessions\nclerk_auth {\npublishable_key " + publishable + "\nsecret_key {env.NO_SUCH_VARIABLE}\n}\n}\n", "NO_SUCH_VARIABLE", "5"},
		"a document":            {":80 {\nclerk_auth /no/such.yaml\n}\n", "/no/such.yaml", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			if told := tellsOf(t, c.caddy); !hasLine(told, c.want, "Caddyfile:"+c.line) {
				t.Errorf("%s, want %s at line %s", told, c.want, c.line)
			}
		})
	}
}

// A file that everybody may write is named with the line that takes it.
func TestAFileThatEverybodyMayWriteIsToldWithItsPlace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o646: true} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		told := tellsOf(t, clerkCaddy("authorized_parties https://app.example.com", "webhook_secret {file."+name+"}"))
		if hasLine(told, "webhook_secret: the file", "[file-writable]", "Caddyfile:5") != warns {
			t.Errorf("%v: %s", mode, told)
		}
	}
}
