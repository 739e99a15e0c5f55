package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The command lines of docs/limits.md are ones that the command takes.
func TestTheCommandLinesOfTheDocumentationAreTaken(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^ *clerkgate (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) != 4 {
		t.Fatalf("found %d command lines, want 4", len(lines))
	}
	for _, line := range lines {
		words := strings.Fields(line[1])
		for i := range words {
			words[i] = strings.Trim(words[i], `"`)
		}
		cmd, rest, err := command().Find(words)
		if err == nil && cmd.Runnable() {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err != nil || !cmd.Runnable() || cmd.Flags().NArg() > 0 {
			t.Errorf("clerkgate %s: %v", line[1], err)
		}
	}
}
