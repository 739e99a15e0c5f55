package repotest

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var updatePages = flag.Bool("update-pages", false, "write the files that pages show into them")

// shown is a file that a page shows, between the two lines of a fence.
var shown = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```([a-z]*)\n(.*?)```\n")

// A page shows a file as it is: who pastes it has what the tests run.
func TestPagesShowFilesAsTheyAre(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "ingress", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	onPages := map[string]bool{}
	for _, page := range pages {
		text := read(t, page)
		want := shown.ReplaceAllStringFunc(text, func(block string) string {
			parts := shown.FindStringSubmatch(block)
			onPages[filepath.ToSlash(parts[1])] = true
			return "<!-- file: " + parts[1] + " -->\n```" + parts[2] + "\n" + read(t, filepath.Join(root, parts[1])) + "```\n"
		})
		if want == text {
			continue
		}
		if *updatePages {
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s shows another file than there is; go test ./internal/repotest -run Pages -update-pages writes it", page)
	}
	for _, folder := range []string{"examples/forward-auth", "examples/ingress"} {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			file := folder + "/" + entry.Name()
			if ext := filepath.Ext(file); ext != ".go" && ext != ".md" && !entry.IsDir() && !onPages[file] && !onSidePage(file) {
				t.Errorf("no page in docs/ingress shows %s", file)
			}
		}
	}
}

// onSidePage reports whether pages name a file and do not show it: it is long, or the
// same for all of them.
func onSidePage(file string) bool {
	return file == "examples/ingress/service.yaml" || file == "examples/forward-auth/clerkgate-headers.conf" || file == "examples/forward-auth/clerkgate-answer.conf" || file == "examples/forward-auth/clerkgate.lua"
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
