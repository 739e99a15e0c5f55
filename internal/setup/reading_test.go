package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

const readingDocument = "clerk:\n  publishable_key: pk_live_Y2xlcmsuZXhhbXBsZS5jb20k\n  webhook_secret_file: secret\n"

// A reading is of the document and of all files that it names, also where they are
// wrong, and tells which of them is another now.
func TestAReadingKnowsWhatHasChanged(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, secret := filepath.Join(folder, "gate.yaml"), filepath.Join(folder, "secret")
	put := func(path, text string) {
		t.Helper()
		_ = os.RemoveAll(path)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var r Reading
	load := func() error {
		_, _, err := r.LoadFile(path)
		return err
	}
	expectChanged := func(when string, want ...string) {
		t.Helper()
		now := r.Again()
		if got := now.Since(&r); !slices.Equal(got, want) || now.Equal(&r) != (len(want) == 0) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	if err := load(); err == nil || r.Hash() != "" || r.Complete() {
		t.Errorf("nothing is read: %v, %q", err, r.Hash())
	}
	expectChanged("there is still nothing")
	put(path, readingDocument)
	expectChanged("there is a document", path)
	if err := load(); err == nil {
		t.Error("it loads without its secret")
	}
	expectChanged("the secret is still missing")
	put(secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	expectChanged("the secret is there", secret)
	if err := load(); err != nil || !r.Complete() {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte(readingDocument)); r.Hash() != hex.EncodeToString(sum[:])[:12] {
		t.Errorf("the hash is %s", r.Hash())
	}
	expectChanged("all is well")
	put(path, readingDocument)
	expectChanged("the same again")
	put(secret, "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	expectChanged("another secret", secret)
	put(path, readingDocument+"mode: shadw\n")
	expectChanged("both", path, secret)
	if err := load(); err == nil {
		t.Error("a wrong document is valid")
	}
	put(secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	expectChanged("the secret of a wrong document", secret)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	expectChanged("a pipe that nobody writes to", path, secret)
}

// The files are found without the checks of a whole document, and their sum is another
// when one of them is.
func TestTheSumIsOfAllFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "gate.yaml")
	seen := map[string]string{}
	for i, text := range []string{readingDocument, readingDocument + "mode: shadow\n"} {
		for _, secret := range []string{"one", "two"} {
			for name, content := range map[string]string{path: text, filepath.Join(folder, "secret"): secret} {
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			what, sum := fmt.Sprint(i, secret), ReadFiles(path).Sum()
			if before, ok := seen[sum]; ok {
				t.Errorf("%s and %s have the same sum", before, what)
			}
			seen[sum] = what
			if again := ReadFiles(path).Sum(); again != sum {
				t.Errorf("%s has two sums", what)
			}
		}
	}
}
