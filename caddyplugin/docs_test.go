package caddyplugin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The Caddyfiles in docs/sessions.md are ones that Caddy takes.
func TestTheCaddyfilesOfTheSessionDocumentationAdapt(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "sessions.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```\n((?:\\{|app\\.|clerk_).*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 3 {
		t.Fatalf("found %d Caddyfiles, want 3", len(blocks))
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
