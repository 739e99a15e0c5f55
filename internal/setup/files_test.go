package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// Who may write a file that the configuration comes from decides what it says.
func TestWarnsOfFilesThatEverybodyMayWrite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	const text = "clerk:\n  publishable_key: pk_live_Y2xlcmsuZXhhbXBsZS5jb20k\n  authorized_parties: [https://app.example.com]\n  webhook_secret_file: secret\n"
	for name, c := range map[string]struct {
		secret, document os.FileMode
		more, want       string
	}{
		"the secret":           {0o666, 0o644, "", "gate.yaml:4:24: warning: clerk.webhook_secret_file: the file"},
		"the document":         {0o644, 0o646, "", "gate.yaml:1:1: warning: the file"},
		"nobody else":          {0o644, 0o644, "", ""},
		"the group, of others": {0o660, 0o660, "", ""},
		"silenced":             {0o666, 0o666, "ignore_warnings: [file-writable]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", c.secret)
			_, findings, err := LoadFile(write("gate.yaml", text+c.more, c.document))
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, finding := range findings {
				said = append(said, finding.String())
			}
			if c.want == "" && len(said) > 0 || c.want != "" && (len(said) != 1 || !strings.Contains(said[0], c.want) || findings[0].ID != policy.WarnFileWritable) {
				t.Errorf("%q, want %q", said, c.want)
			}
		})
	}
}
