package session

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/joined"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// paths returns where the errors of a configuration are.
func paths(t *testing.T, err error) []string {
	t.Helper()
	var out []string
	for _, e := range joined.Each(err) {
		c, ok := errors.AsType[*policy.ConfigError](e)
		if !ok {
			t.Fatalf("%v is not a *policy.ConfigError", e)
		}
		out = append(out, c.Path)
	}
	return out
}

func TestValidate(t *testing.T) {
	t.Parallel()
	const secret = "sk_live_supersecret"
	base := Config{PublishableKey: mint.PublishableKey}
	change := func(f func(*Config)) Config {
		c := base
		f(&c)
		return c
	}
	tests := []struct {
		name   string
		config Config
		want   []string
	}{
		{"a publishable key is enough", base, nil},
		{"white space around keys is trimmed", Config{PublishableKey: mint.PublishableKey + "\n", SecretKey: " " + secret + "\n"}, nil},
		{"nothing", Config{}, []string{"clerk.publishable_key"}},
		{"keys swapped", Config{PublishableKey: secret, SecretKey: mint.PublishableKey}, []string{"clerk.publishable_key", "clerk.secret_key"}},
		{"a key cut short", Config{PublishableKey: "pk_live_Y2xlcm"}, []string{"clerk.publishable_key"}},
		{"a key that names no host", Config{PublishableKey: "pk_live_YS9iLmNvbSQ"}, []string{"clerk.publishable_key"}},
		{"keys of two instances", change(func(c *Config) { c.SecretKey = "sk_test_supersecret" }), []string{"clerk.secret_key"}},
		{"a secret key that splits a header", change(func(c *Config) { c.SecretKey = "sk_live_super\nsecret" }), []string{"clerk.secret_key"}},
		{"a machine key with a space", change(func(c *Config) { c.MachineSecretKey = "ak_super secret" }), []string{"clerk.machine_secret_key"}},
		{"a webhook secret", change(func(c *Config) { c.WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }), nil},
		{"a webhook secret of another kind", change(func(c *Config) { c.WebhookSecret = "supersecret" }), []string{"clerk.webhook_secret"}},
		{"a key that is none", change(func(c *Config) { c.JWTKey = "-----BEGIN supersecret" }), []string{"clerk.jwt_key"}},
		{"origins", change(func(c *Config) {
			c.AuthorizedParties = policy.StringList{"https://app.example.com", "http://localhost:3000", "chrome-extension://abc", "http://[::1]:3000"}
		}), nil},
		{"no origins", change(func(c *Config) {
			c.AuthorizedParties = policy.StringList{"https://app.example.com/", "app.example.com", "https://App.example.com"}
		}), []string{"clerk.authorized_parties[0]", "clerk.authorized_parties[1]", "clerk.authorized_parties[2]"}},
		{"no tolerance", change(func(c *Config) { c.ClockSkew = new(Skew(0)) }), nil},
		{"too much tolerance", change(func(c *Config) { c.ClockSkew = new(Skew(time.Hour)) }), []string{"clerk.clock_skew"}},
		{"less than no tolerance", change(func(c *Config) { c.ClockSkew = new(Skew(-1)) }), []string{"clerk.clock_skew"}},
		{"a path to sign in", change(func(c *Config) { c.SignInURL = "/sign-in" }), nil},
		{"another host to sign in", change(func(c *Config) { c.SignInURL = "//evil.com" }), []string{"clerk.sign_in_url"}},
		{"a script to sign up", change(func(c *Config) { c.SignUpURL = "javascript:alert(1)" }), []string{"clerk.sign_up_url"}},
		{"a proxy without scheme", change(func(c *Config) { c.ProxyURL = "example.com/__clerk" }), []string{"clerk.proxy_url"}},
		{"a local API", change(func(c *Config) { c.APIURL = "http://127.0.0.1:4000" }), nil},
		{"an API over plain http", change(func(c *Config) { c.APIURL = "http://api.clerk.com" }), []string{"clerk.api_url"}},
		{"an API that looks local", change(func(c *Config) { c.APIURL = "http://127.0.0.1.evil.com" }), []string{"clerk.api_url"}},
		{"a satellite", change(func(c *Config) {
			c.Satellite, c.Domain, c.SignInURL = true, "sat.example.com", "https://example.com/sign-in"
		}), nil},
		{"a satellite without domain", change(func(c *Config) { c.Satellite = true }), []string{"clerk.satellite"}},
		{"a satellite that signs in at home", change(func(c *Config) {
			c.Satellite, c.Domain, c.SignInURL = true, "sat.example.com", "/sign-in"
		}), []string{"clerk.sign_in_url"}},
		{"a domain with a scheme", change(func(c *Config) { c.Domain = "https://sat.example.com" }), []string{"clerk.domain"}},
		{"paths of organizations", change(func(c *Config) {
			c.OrganizationSync = &OrganizationSync{Organization: policy.StringList{"/orgs/:slug"}, Personal: policy.StringList{"me"}}
		}), []string{"clerk.organization_sync.personal[0]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.config.Validate()
			if got := paths(t, err); !slices.Equal(got, tt.want) {
				t.Errorf("errors at %q, want %q: %v", got, tt.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "super") {
				t.Errorf("the error repeats a secret: %v", err)
			}
			if _, err := New(tt.config, Options{}); (err != nil) != (tt.want != nil) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

func TestConfigReadsItsWords(t *testing.T) {
	t.Parallel()
	var c Config
	document := `{"publishable_key": "` + mint.PublishableKey + `", "secret_key": "sk_live_x", "authorized_parties": "https://app.example.com", "clock_skew": "0s",
		"organization_sync": {"organization": ["/orgs/:slug"]}, "reference_compat": true}`
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.skew() != 0 || len(c.AuthorizedParties) != 1 || c.relaxed() != compat.Reference {
		t.Errorf("%+v", c)
	}
	if (Config{}).skew() != 5*time.Second || (Config{}).relaxed() != (compat.Relaxations{}) {
		t.Error("the defaults are five seconds and nothing relaxed")
	}
	for _, bad := range []string{`5`, `"soon"`, `null`} {
		var s Skew
		if err := s.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s is read as %v", bad, s)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	quiet := Config{PublishableKey: mint.PublishableKey, AuthorizedParties: policy.StringList{"https://app.example.com"}}
	if got := quiet.Warnings(); got != nil {
		t.Errorf("%v", got)
	}
	loud := Config{PublishableKey: mint.PublishableKey, ReferenceCompat: true, ClockSkew: new(Skew(2 * time.Minute))}
	if got := loud.Warnings(); len(got) != 3 {
		t.Errorf("%v", got)
	}
}
