package caddyplugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// FuzzCaddyfile reads any tokens as a directive. Reading never panics, what was
// read is the JSON that Caddy can read back to the same, and no error repeats a
// secret.
func FuzzCaddyfile(f *testing.F) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text, _, _ := strings.Cut(string(data), separator)
		if start := strings.Index(text, "clerk_auth"); start >= 0 {
			f.Add(text[start : len(text)-2])
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			return // not a Caddyfile
		}
		var h Handler
		err = h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		if key := h.Clerk.SecretKey; err != nil && len(key) > 20 && strings.Contains(err.Error(), key) && strings.Count(text, key) == 1 {
			t.Fatalf("the error repeats the secret key: %v", err)
		}
		if err != nil {
			return
		}
		written, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var again Handler
		if err := caddy.StrictUnmarshalJSON(written, &again); err != nil {
			t.Fatalf("%v, in %s", err, written)
		}
		if rewritten, err := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Fatalf("%s is read back as %s (%v)", written, rewritten, err)
		}
	})
}
