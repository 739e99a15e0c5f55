package caddyplugin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The Caddyfiles in the documentation are ones that Caddy takes.
func TestTheCaddyfilesOfTheDocumentationAdapt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"sessions.md": 3, "revocation.md": 1, "caddy.md": 7} {
		text, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?ms)^```\n((?:\\{|app\\.|clerk_).*?)^```$").FindAllStringSubmatch(string(text), -1)
		if len(blocks) != want {
			t.Fatalf("found %d Caddyfiles in %s, want %d", len(blocks), name, want)
		}
		for _, block := range blocks {
			caddyfile := block[1]
			if strings.HasPrefix(caddyfile, "clerk_") {
				caddyfile = ":80 {\n" + caddyfile + "}\n"
			}
			if got := adapted(t, caddyfile); !strings.HasPrefix(got, "{") {
				t.Errorf("%s\n%s", got, caddyfile)
			}
		}
	}
}
