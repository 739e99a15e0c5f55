package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/leaktest"
)

// fields are where secrets get to.
var fields = []string{
	"clerk.publishable_key", "clerk.secret_key", "clerk.jwt_key", "clerk.webhook_secret", "clerk.machine_secret_key", "clerk.api_url", "clerk.sign_in_url",
	"clerk.sign_up_url", "clerk.proxy_url", "clerk.domain", "clerk.authorized_parties", "clerk.issuer", "clerk.audience", "clerk.clock_skew", "clerk.satellite",
	"clerk.organization_sync.organization", "redis.url", "redis.addresses", "redis.username", "redis.password", "redis.database", "redis.budget", "redis.prefix",
	"redis.sentinel.master", "redis.sentinel.password", "redis.tls.ca", "redis.tls.key", "redis.tls.cert", "assertion.key", "assertion.audience", "assertion.algorithm",
	"identity_headers.X-User-Id", "trusted_proxies", "mode", "preflight", "base_path", "locales", "upstream_token.template", "upstream_token.header", "default.access",
	"default.on_forbidden.redirect", "revocation.max_token_lifetime", "limits.a.key", "limits.a.window", "no_such_word", "clerk.secret_kee",
}

// secretFields hold secrets that have no form of their own.
var secretFields = []string{"clerk.secret_key", "clerk.jwt_key", "clerk.webhook_secret", "clerk.machine_secret_key", "redis.url", "redis.password", "redis.sentinel.password", "redis.tls.key", "assertion.key"}

// shapes put a value into a document in other ways than it takes.
var shapes = map[string]func(value string) any{
	"as it is":  func(v string) any { return v },
	"a list":    func(v string) any { return []string{v, v} },
	"a mapping": func(v string) any { return map[string]string{"a": v} },
	"as a key":  func(v string) any { return map[string]string{v: "a"} },
	"spaces":    func(v string) any { return v + " and more" },
}

// documentWith is a document with a value at a field.
func documentWith(t *testing.T, field string, value any) string {
	t.Helper()
	tree := map[string]any{"clerk": map[string]any{"publishable_key": publishableKey}}
	at := tree
	steps := strings.Split(field, ".")
	for _, step := range steps[:len(steps)-1] {
		next, ok := at[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	at[steps[len(steps)-1]] = value
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// No secret is in what any command says of a document, wherever in it the secret
// is, in whatever notation, and however wrong it is.
func TestNoSecretIsInWhatCommandsSay(t *testing.T) {
	said := 0
	expectSilence := func(t *testing.T, args ...string) {
		t.Helper()
		out, err := run(t, args...)
		if text := out + fmt.Sprint(err); strings.Contains(text, leaktest.Canary) {
			t.Errorf("%s says %.600s", args[0], text)
		}
		said++
	}
	check := func(t *testing.T, field, secret string, shapes map[string]func(string) any) {
		t.Helper()
		folder := t.TempDir()
		path := filepath.Join(folder, "gate.yaml") // which reads JSON as well
		for _, shape := range shapes {
			write(t, path, documentWith(t, field, shape(secret)))
			expectSilence(t, "validate", path)
		}
		write(t, path, documentWith(t, field, secret))
		if out, _ := run(t, "validate", path); !strings.Contains(out, "valid,") { // then the others end as well
			expectSilence(t, "serve", "--config", path, "--grpc", "127.0.0.1:0", "--admin", "")
			expectSilence(t, "limits", "show", "--config", path, "--key", "a")
		}
		t.Setenv("CLERKGATE_TEST_CANARY", secret)
		write(t, path, documentWith(t, field, "${CLERKGATE_TEST_CANARY}"))
		expectSilence(t, "validate", path)
		write(t, filepath.Join(folder, "secret"), secret)
		write(t, path, documentWith(t, field+"_file", "secret"))
		expectSilence(t, "validate", path)
		text := documentWith(t, field, secret)
		write(t, path, text[:len(text)-2]) // not closed
		expectSilence(t, "validate", path)
	}
	plain := map[string]func(string) any{"as it is": shapes["as it is"]}
	for _, field := range fields {
		for form, secret := range leaktest.Forms {
			t.Run(field+", "+form, func(t *testing.T) { check(t, field, secret, plain) })
		}
	}
	for _, field := range secretFields {
		for what, secret := range map[string]string{"a word": leaktest.Canary, "a line": leaktest.Canary + "\n", "a quote before it": `"` + leaktest.Canary,
			"a publishable key": "pk_test_" + leaktest.Canary, "a control character before it": "\x01" + leaktest.Canary, "a number": "0x" + leaktest.Canary} {
			t.Run(field+", no form: "+what, func(t *testing.T) { check(t, field, secret, shapes) })
		}
	}
	if said < 2_000 {
		t.Errorf("only %d commands ran", said)
	}
}
