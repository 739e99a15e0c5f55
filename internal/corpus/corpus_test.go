package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACaseHasExactlyOnePolicyAndAPolicyHasACase(t *testing.T) {
	t.Parallel()
	const rest = "\nwhy: It is.\nwant: {status: 200, reason: allowed}\n"
	for name, c := range map[string]struct{ written, want string }{
		"named":                 {"policy: open", ""},
		"neither":               {"", "exactly one of policy and config"},
		"both":                  {"policy: open\nconfig: {}", "exactly one of policy and config"},
		"an unknown policy":     {"policy: opne", `no policy is named "opne"`},
		"an unused policy":      {"config: {}", `no case has the policies ["open"]`},
		"an unknown key":        {"policy: open\ntime: 3", `unknown key "time"`},
		"unknown in the policy": {"config: {rule: []}", `unknown key "rule"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "policies", "open.yaml"), "default: {access: public}\n")
			write(t, filepath.Join(dir, "decisions", "it.yaml"), c.written+rest)
			cases, err := readAll(filepath.Join(dir, "decisions"))
			switch {
			case c.want == "" && (err != nil || len(cases) != 1 || cases[0].Config.Default.Access != "public"):
				t.Errorf("%d cases, error %v", len(cases), err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
