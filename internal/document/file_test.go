package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/document"
)

func TestFilesAreReadBesideTheDocument(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), "sk_live_disk\n")
	write(t, filepath.Join(folder, "large"), strings.Repeat("x", 1<<20+1))
	if err := os.Symlink("secret", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, value, err string }{
		"relative":    {"secret", "sk_live_disk", ""},
		"absolute":    {filepath.Join(folder, "secret"), "sk_live_disk", ""},
		"a link":      {"link", "sk_live_disk", ""},
		"missing":     {"none", "", `gate.yaml:1:26: clerk.secret_key_file: can not read "none": no such file or directory`},
		"a directory": {".", "", `gate.yaml:1:26: clerk.secret_key_file: can not read ".": not a regular file`},
		"a device":    {os.DevNull, "", `gate.yaml:1:26: clerk.secret_key_file: can not read "/dev/null": not a regular file`},
		"too large":   {"large", "", `gate.yaml:1:26: clerk.secret_key_file: can not read "large": the file is larger than 1 MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c config
			_, err := document.Load(filepath.Join(folder, "gate.yaml"), []byte("clerk: {secret_key_file: "+test.path+"}"), &c, document.Options{})
			if c.Clerk.SecretKey != test.value {
				t.Errorf("value %q, want %q", c.Clerk.SecretKey, test.value)
			}
			if err == nil && test.err != "" || err != nil && err.Error() != filepath.Join(folder, test.err) {
				t.Errorf("error %v, want %s", err, test.err)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheRealEnvironmentIsTheDefault(t *testing.T) {
	t.Setenv("CLERKGATE_TEST_MODE", "shadow")
	var c config
	if _, err := document.Load("gate.yaml", []byte("mode: ${CLERKGATE_TEST_MODE}"), &c, document.Options{}); err != nil {
		t.Fatal(err)
	}
	if c.Mode != "shadow" {
		t.Errorf("mode %q", c.Mode)
	}
}

// A small document must not become a large one by naming a long variable many times.
func TestExpansionIsBounded(t *testing.T) {
	t.Parallel()
	long := document.Options{Env: func(string) (string, bool) { return strings.Repeat("x", 1000), true }}
	var c config
	_, err := document.Load("gate.yaml", []byte("clerk: {parties: ["+strings.Repeat("${A}, ", 1049)+"]}"), &c, long)
	want := "gate.yaml:1:6307: clerk.parties[1048]: the document grows by more than 1 MiB when its references are expanded"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
