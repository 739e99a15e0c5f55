package caddyplugin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// The Caddyfiles in the documentation are valid: its blocks of code without a language,
// but for those of commands.
func TestTheCaddyfilesOfTheDocumentationAreValid(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	for name, value := range map[string]string{
		"CLERK_PUBLISHABLE_KEY": clerk.PublishableKey(), "CLERK_SECRET_KEY": clerk.SecretKey(),
		"CLERK_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "REDIS_URL": "redis://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	// How many each file shows. Raise it with what is added.
	shown := map[string]int{"README.md": 1, "sessions.md": 3, "revocation.md": 1, "caddy.md": 7}
	block := regexp.MustCompile("(?ms)^ *```([a-z]*) *\n(.*?)^ *```$") // its language, and what it holds
	command := regexp.MustCompile(`^ *(clerkgate |LIMIT )`)            // or what one prints
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range block.FindAllStringSubmatch(string(text), -1) {
			language, code := match[1], match[2]
			if language == "" && !command.MatchString(code) || language == "caddy" || language == "caddyfile" {
				found[filepath.Base(file)]++
				validate(t, completed(code), clerk.URL())
			}
		}
	}
	for name, want := range shown {
		if found[name] < want {
			t.Errorf("%s shows %d Caddyfiles, want at least %d", name, found[name], want)
		}
	}
}

// completed is a Caddyfile with what a part of one lacks: a site around its directives,
// and the keys.
func completed(code string) string {
	if strings.HasPrefix(code, "clerk_") {
		code = ":80 {\n" + code + "}\n"
	}
	if strings.Contains(code, "publishable_key") {
		return code
	}
	options, global := strings.CutPrefix(code, "{\n")
	if !global {
		options = "}\n" + code
	}
	return "{\n\tclerk {\n\t\tpublishable_key {$CLERK_PUBLISHABLE_KEY}\n\t\tsecret_key {env.CLERK_SECRET_KEY}\n\t}\n" + options
}
