package caddyplugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/leaktest"
	"github.com/clerkgate/clerkgate/session"
)

// secretLines take secrets that have no form.
var secretLines = []string{"redis %s x", "secret_key %s", "jwt_key %s", "webhook_secret %s", "machine_secret_key %s", "redis {\nurl %s\n}", "redis {\nurl redis://h\npassword %s\n}", "redis {\nurl redis://h\ntls {\nkey %s\n}\n}", "assertion {\nkey %s\n}"}

// lines are where a secret can stand in clerk_auth, some of them wrong in form.
func lines() []string {
	all := []string{"%s", "%s x", "nonsense %s", "rule %s {\npath /x\n}", "rule a {\npath %s\n}", "rule a {\n%s x\n}", "rule a {\npath /x\nuser %s\n}", "rule a {\npath /x\nclaim a %s\n}", "rule a {\npath /x\non_forbidden %s x\n}",
		"rule a {\npath /x\non_forbidden redirect %s\n}", "rule a {\npath /x\nmethod %s\n}", "rule a {\npath /x\nhost %s\n}", "rule a {\npath /x\nexpression %s\n}", "rule a {\npath /x\nlimits %s\n}", "public %s", "default %s", "identity_header %s x y", "identity_header X-A %s",
		"limit a %s per 1m by ip", "limit a 1 per %s by ip", "limit a 1 per 1m by %s", "limit %s 1", "upstream_token %s a b", "organization_sync %s x", "organization_sync organization", "redis %s x", "redis %s", "redis {\nsentinel %s x\n}", "redis {\n%s\n}",
		"revocation {\non_store_error %s\n}", "revocation %s", "revocation {\nmax_entries %s\n}", "assertion %s", "assertion {\nalgorithm %s\nkey %[1]s\n}", "trusted_proxies %s", "mode %s", "ignore_warnings %s", "file %s", "satellite %s", "strip_credentials %s"}
	for name := range clerkSubdirectives(new(session.Config)) {
		all = append(all, name+" %s", name+" %s more")
	}
	all = append(all, secretLines...)
	slices.Sort(all) // some stand in two of the lists
	return slices.Compact(all)
}

// No secret is in what Caddy says of a configuration that it refuses, wherever the
// secret is in it. One that it takes is the configuration.
func TestNoSecretIsInWhatCaddyRefuses(t *testing.T) {
	refused := 0
	check := func(t *testing.T, line, secret string) {
		t.Helper()
		written := fmt.Sprintf(line, "\""+strings.ReplaceAll(secret, `"`, `\"`)+"\"")
		if !strings.Contains(line, "%s") {
			written = line
		}
		for _, block := range []string{
			":80 {\nclerk_auth {\npublishable_key " + publishable + "\n" + written + "\n}\n}\n", ":80 {\nclerk_auth {\n" + written + "\n}\n}\n",
			"{\nclerk {\n" + written + "\n}\n}\n:80 {\nclerk_auth\n}\n", ":80 {\nclerk_webhooks {\n" + written + "\n}\n}\n", ":80 {\nclerk_sessions {\n" + written + "\n}\n}\n", ":80 {\nclerk_frontend_api {\n" + written + "\n}\n}\n",
			":80 {\n@a clerk {\n" + written + "\n}\nrespond @a x\n}\n",
		} {
			said := adapted(t, block)
			var config caddy.Config
			if json.Unmarshal([]byte(said), &config) == nil { // then it is the configuration
				config.Admin = &caddy.AdminConfig{Disabled: true}
				config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "PANIC"}}}}
				err := caddy.Validate(&config)
				if err == nil {
					continue
				}
				said = err.Error()
			}
			if refused++; len(leaktest.Secrets{"it": leaktest.Canary}.In(said)) > 0 {
				t.Errorf("of\n%s\nCaddy says %.500s", block, said)
			}
		}
	}
	for _, line := range lines() {
		for name, secret := range leaktest.Forms {
			t.Run(line+" "+name, func(t *testing.T) { check(t, line, secret) })
		}
	}
	for _, line := range secretLines {
		for what, secret := range map[string]string{"a word": leaktest.Canary, "a publishable key": "pk_test_" + leaktest.Canary, "a number": "0x" + leaktest.Canary,
			"two words": leaktest.Canary + " " + leaktest.Canary} {
			t.Run(line+" no form: "+what, func(t *testing.T) { check(t, line, secret) })
		}
	}
	if refused < 3_000 {
		t.Errorf("only %d configurations were refused", refused)
	}
}

// In JSON, a secret gets to where a Caddyfile would not let it.
func TestNoSecretIsInWhatIsSaidOfJSON(t *testing.T) {
	for field := range map[string]bool{"clerk.secret_key": true, "clerk.publishable_key": true, "clerk.clock_skew": true, "clerk.authorized_parties": true, "redis.url": true, "redis.budget": true, "redis.addresses": true, "revocation.max_token_lifetime": true, "assertion.lifetime": true, "limits.a.window": true, "limits.a.key": true, "mode": true, "default.access": true, "file": true} {
		for name, secret := range leaktest.Forms {
			t.Run(field+" "+name, func(t *testing.T) {
				tree := map[string]any{"handler": "clerk_auth"}
				at, steps := tree, strings.Split(field, ".")
				for _, step := range steps[:len(steps)-1] {
					next := map[string]any{}
					at[step], at = next, next
				}
				at[steps[len(steps)-1]] = secret
				config := caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{}}
				routes, err := json.Marshal(map[string]any{"servers": map[string]any{"a": map[string]any{"listen": []string{"127.0.0.1:0"}, "routes": []any{map[string]any{"handle": []any{tree}}}}}})
				if err != nil {
					t.Fatal(err)
				}
				config.AppsRaw["http"] = routes
				if err := caddy.Validate(&config); err == nil || len(leaktest.Secrets{"it": leaktest.Canary}.In(err.Error())) > 0 {
					t.Errorf("Caddy says %v", err)
				}
			})
		}
	}
}
