package testprocess

import (
	"os"
	"os/exec"
	"testing"
)

// Binary finds a program by a variable of the environment and, if it has a name
// there, on the PATH. Without one the test is skipped, or fails where
// CLERKGATE_FULL is 1.
func Binary(tb testing.TB, variable, what, name string) string {
	tb.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	missing := "there is no " + what + ": set " + variable
	if name == "" {
		Missing(tb, missing)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, missing+", or put "+name+" on the PATH")
	}
	return path
}

// Missing skips the test for the lack of a program, or fails it where
// CLERKGATE_FULL is 1.
func Missing(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("CLERKGATE_FULL") == "1" {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// Chromium finds Chromium.
func Chromium(tb testing.TB) string {
	tb.Helper()
	return Binary(tb, "CLERKGATE_CHROMIUM", "Chromium", "chromium")
}

// CaddyBinary finds a Caddy that has this module, which one on the PATH need not.
func CaddyBinary(tb testing.TB) string {
	tb.Helper()
	return Binary(tb, "CLERKGATE_CADDY", "Caddy built with this module", "")
}

// Caddy is the command that runs that Caddy by a configuration file, with
// everything that it keeps in a folder.
func Caddy(tb testing.TB, file, folder string) *exec.Cmd {
	tb.Helper()
	cmd := exec.Command(CaddyBinary(tb), "run", "--config", file)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder, "HOME="+folder)
	return cmd
}
