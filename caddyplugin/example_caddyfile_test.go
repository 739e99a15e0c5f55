package caddyplugin

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// exampleFiles are the Caddyfiles we show. Each works as it stands, with the
// keys in the environment.
var exampleFiles = []string{"../Caddyfile.example", "../examples/caddy/Caddyfile"}

func TestExamplesWork(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	t.Setenv("CLERK_PUBLISHABLE_KEY", clerk.PublishableKey())
	t.Setenv("CLERK_SECRET_KEY", clerk.SecretKey())
	for _, file := range exampleFiles {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if formatted := caddyfile.Format(text); string(formatted) != string(text) {
				t.Errorf("`caddy fmt` would write it otherwise:\n%s", formatted)
			}
			if validate(t, string(text), clerk.URL()) == 0 {
				t.Error("nothing in it has a secret_key, so nothing asks the Clerk that runs here")
			}
		})
	}
}

// validate has Caddy make all that a Caddyfile configures, with Clerk's API at a URL, and
// returns how many pieces of it ask there.
func validate(t *testing.T, text, api string) (asking int) {
	t.Helper()
	var written any
	got := adapted(t, text)
	if err := json.Unmarshal([]byte(got), &written); err != nil {
		t.Errorf("%s, in\n%s", got, text)
		return 0
	}
	asking = setAPI(written, api)
	local, err := json.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(local, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Errorf("%v, in\n%s", err, text)
	}
	return asking
}

// setAPI has whatever has a secret key ask at a URL, and returns how many do.
func setAPI(in any, url string) int {
	changed := 0
	switch in := in.(type) {
	case []any:
		for _, element := range in {
			changed += setAPI(element, url)
		}
	case map[string]any:
		if _, ok := in["secret_key"]; ok {
			in["api_url"] = url
			changed++
		}
		for _, value := range in {
			changed += setAPI(value, url)
		}
	}
	return changed
}
