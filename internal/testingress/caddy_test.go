package testingress_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// The Caddyfile of the example is one that Caddy loads.
func TestCaddyLoadsItsExample(t *testing.T) {
	binary := testprocess.CaddyBinary(t)
	manifest, err := os.ReadFile(filepath.Join(folder, "caddy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(manifest), "\n  Caddyfile: |\n")
	block, _, _ := strings.Cut(rest, "\n---\n")
	if !found {
		t.Fatal("the example has no Caddyfile")
	}
	var caddyfile strings.Builder
	for line := range strings.Lines(block) {
		caddyfile.WriteString(strings.TrimPrefix(line, "    "))
	}
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(caddyfile.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	clerk := clerktest.Start(t, clerktest.Options{})
	cmd := exec.CommandContext(t.Context(), binary, "validate", "--config", path)
	cmd.Env = append(os.Environ(), "CLERK_PUBLISHABLE_KEY="+clerk.PublishableKey(), "CLERK_SECRET_KEY="+clerk.SecretKey(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Valid configuration") {
		t.Errorf("%v\n%s", err, out)
	}
}
