package caddyplugin

import (
	"encoding/json"
	"os"
	"strings"
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
			// The keys of an instance that runs here are asked for here.
			local := strings.Replace(string(text), "secret_key {env.CLERK_SECRET_KEY}", "secret_key {env.CLERK_SECRET_KEY}\n\t\tapi_url "+clerk.URL(), 1)
			if local == string(text) {
				t.Fatal("it has no secret_key {env.CLERK_SECRET_KEY}")
			}
			var config caddy.Config
			if err := json.Unmarshal([]byte(adapted(t, local)), &config); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&config); err != nil {
				t.Error(err)
			}
		})
	}
}
