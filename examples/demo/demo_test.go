package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The requests of the README come out as it says, on every way.
func TestCheck(t *testing.T) {
	if _, err := exec.LookPath("envoy"); err != nil && os.Getenv("CLERKGATE_ENVOY") == "" {
		if os.Getenv("CLERKGATE_FULL") == "1" {
			t.Fatal("there is no Envoy: set CLERKGATE_ENVOY to the binary, or put envoy on the PATH")
		}
		t.Log("there is no Envoy: checking Caddy and ext_authz only")
	}
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, t.TempDir()) // restored after the demo has set its own
	}
	var out strings.Builder
	err := run(t.Context(), &out, true, true)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "ok   "); lines < 2*len(requests) {
		t.Errorf("only %d requests were checked", lines)
	}
}

// Everything that show prints is there, tokens included.
func TestShow(t *testing.T) {
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, t.TempDir())
	}
	s, err := start(true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out strings.Builder
	s.show(&out)
	for _, want := range []string{origin(s.ports.Caddy), s.clerk.SignInURL(), "Bearer eyJ", "# 429"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
