package caddyplugin

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Caddy ignores a reload whose configuration is as before; one whose document was edited
// is another, though the Caddyfile is the same.
func TestAReloadHeedsAnEditedDocument(t *testing.T) {
	path, clerk := filepath.Join(t.TempDir(), "policy.yaml"), clerktest.OfflineDocument(t)
	put(t, path, clerk+"default: {access: public}\n")
	lines := "\tclerk_auth " + path + "\n\trespond ok\n"
	s := startSite(t, lines)
	for _, c := range []struct {
		access string
		want   int
	}{{"public", http.StatusOK}, {"deny", http.StatusForbidden}, {"public", http.StatusOK}} {
		put(t, path, clerk+"default: {access: "+c.access+"}\n")
		s.reload(lines)
		if response, body := s.get("/", ""); response.StatusCode != c.want {
			t.Errorf("%s: %d %s", c.access, response.StatusCode, body)
		}
	}
}

// The adapted configuration is another when the document is, or a file that it names, and
// holds nothing of their content.
func TestTheAdaptedConfigurationHasTheHashOfTheDocument(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, secret := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "secret")
	adapt := func() string {
		t.Helper()
		return adapted(t, "example.com {\n\tclerk_auth "+path+"\n}\n")
	}
	if got := adapt(); strings.Contains(got, "file_hash") {
		t.Errorf("a document that is not there has a hash: %s", got)
	}
	seen := map[string]string{}
	for _, document := range []string{"webhook_secret_file: secret", "webhook_secret_file: secret, clock_skew: 1s"} {
		for _, text := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
			put(t, path, "clerk: {publishable_key: "+clerktest.OfflineKey+", "+document+"}\n")
			put(t, secret, text)
			got := adapt()
			if before, ok := seen[got]; ok {
				t.Errorf("%s with %s is as %s", document, text, before)
			}
			if got != adapt() || !strings.Contains(got, `"file_hash"`) || strings.Contains(got, text) {
				t.Errorf("got %s", got)
			}
			seen[got] = document + " with " + text
		}
	}
}
