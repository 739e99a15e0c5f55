package setup

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// shown is how many policies and how many parts of Envoy's configuration the
// documentation shows in YAML, by the name of the file. Raise it with what is added.
var shown = map[string]yamlCount{
	"README.md": {2, 1}, "policy.md": {4, 0}, "limits.md": {1, 0}, "sessions.md": {1, 1}, "revocation.md": {1, 1}, "envoy.md": {0, 1}, "warnings.md": {1, 0},
}

type yamlCount struct{ policies, envoys int }

// The YAML in the documentation is a policy that loads without a warning, or part of one
// that does once the rest is there, or it is Envoy's.
func TestThePoliciesOfTheDocumentationLoad(t *testing.T) {
	for name, value := range map[string]string{
		"CLERK_PUBLISHABLE_KEY": publishableKey, "CLERK_SECRET_KEY": "sk_live_0123456789abcdefghij0123456789abcdefghij01",
		"CLERK_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "REDIS_URL": "redis://redis:6379", "REDIS_PASSWORD": "secret",
	} {
		t.Setenv(name, value)
	}
	keys := assertionKeys(t)
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]yamlCount{}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		count := found[filepath.Base(file)]
		for _, block := range yamlBlocks(string(text)) {
			if isEnvoys(t, block) {
				count.envoys++
				continue
			}
			count.policies++
			whole := strings.ReplaceAll(completed(t, block), "/etc/clerkgate", keys)
			_, findings, err := Load(filepath.Base(file), []byte(whole))
			findings = slices.DeleteFunc(findings, func(f Finding) bool { return f.Note })
			if err != nil || len(findings) > 0 {
				t.Errorf("%v, %v, in\n%s", err, findings, whole)
			}
		}
		found[filepath.Base(file)] = count
	}
	for name, want := range shown {
		if got := found[name]; got.policies < want.policies || got.envoys < want.envoys {
			t.Errorf("%s shows %d policies and %d parts for Envoy, want at least %d and %d", name, got.policies, got.envoys, want.policies, want.envoys)
		}
	}
}

var yamlFence = regexp.MustCompile("(?ms)^( *)```ya?ml *\n(.*?)^ *```$")

// yamlBlocks are the blocks of YAML in a text, less the depth at which they stand.
func yamlBlocks(text string) []string {
	var blocks []string
	for _, block := range yamlFence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")[1:])
	}
	return blocks
}

// isEnvoys tells, by what stands at its top, whether a block is part of Envoy's
// configuration. Whatever is not is held to be a policy.
func isEnvoys(t *testing.T, block string) bool {
	t.Helper()
	var parsed any
	if err := yaml.Unmarshal([]byte(block), &parsed); err != nil {
		t.Errorf("%v, in\n%s", err, block)
	}
	if routes, ok := parsed.([]any); ok { // those of a virtual host
		return len(routes) > 0 && !slices.ContainsFunc(routes, func(route any) bool {
			r, _ := route.(map[string]any)
			return r["match"] == nil || r["route"] == nil
		})
	}
	top, _ := parsed.(map[string]any)
	for key := range top {
		if !slices.Contains([]string{"http_filters", "virtual_hosts", "routes", "clusters"}, key) {
			return false
		}
	}
	return len(top) > 0
}

// completed is a policy with the least that a part of one lacks: the keys, the limits
// that its rules name, or something that names its limits.
func completed(t *testing.T, block string) string {
	t.Helper()
	var written struct {
		Clerk  map[string]any
		Limits map[string]any
		Rules  []struct{ Limits []string }
	}
	if err := yaml.Unmarshal([]byte(block), &written); err != nil {
		t.Errorf("%v, in\n%s", err, block)
	}
	if written.Clerk == nil {
		block += "clerk:\n  secret_key: ${CLERK_SECRET_KEY}\n"
	}
	for key, line := range map[string]string{"publishable_key": "${CLERK_PUBLISHABLE_KEY}", "authorized_parties": "https://app.example.com"} {
		if written.Clerk[key] == nil {
			block = strings.Replace(block, "clerk:\n", "clerk:\n  "+key+": "+line+"\n", 1)
		}
	}
	if written.Rules == nil && written.Limits != nil {
		block += fmt.Sprintf("default: { limits: [%s] }\n", strings.Join(slices.Sorted(maps.Keys(written.Limits)), ", "))
	}
	named := map[string]bool{}
	for _, rule := range written.Rules {
		for _, name := range rule.Limits {
			named[name] = true
		}
	}
	if written.Limits == nil && len(named) > 0 {
		block += "limits:\n"
		for name := range named {
			block += "  " + name + ": { limit: 10, window: 10s, key: user }\n"
		}
	}
	return block
}

// assertionKeys makes a folder with a key to sign assertions with.
func assertionKeys(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "assertion.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
