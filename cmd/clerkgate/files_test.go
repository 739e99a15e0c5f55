package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// oddFiles are files that could keep a command waiting, or fill its memory.
func oddFiles(t *testing.T) map[string]string {
	t.Helper()
	folder := t.TempDir()
	pipe, socket, large, link := filepath.Join(folder, "pipe"), filepath.Join(folder, "s"), filepath.Join(folder, "large"), filepath.Join(folder, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	if err := os.Truncate(largeFile(t, large), 1<<40); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"a pipe": pipe, "a socket": socket, "a folder": folder, "a terabyte": large, "an endless device": "/dev/zero", "a link to one": link,
		"an empty device": "/dev/null", "nothing": filepath.Join(folder, "none"), "an unreadable place": "/proc/self/mem",
	}
}

func largeFile(t *testing.T, path string) string {
	t.Helper()
	write(t, path, "")
	return path
}

// Whatever file a command is given, it says at once what is wrong with it.
func TestOddFilesAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	good, certificate := document(t, ""), filepath.Join(t.TempDir(), "some.pem")
	write(t, certificate, "nothing")
	for kind, file := range oddFiles(t) {
		inDocument := document(t, "assertion:\n  key_file: "+file+"\n")
		for _, args := range [][]string{
			{"validate", file}, {"validate", inDocument}, {"validate", "--config", file},
			{"serve", "--config", file}, {"serve", "--config", inDocument},
			{"serve", "--config", good, "--tls-cert", file, "--tls-key", certificate},
			{"serve", "--config", good, "--tls-cert", certificate, "--tls-key", file},
			{"serve", "--config", good, "--tls-cert", certificate, "--tls-key", certificate, "--tls-client-ca", file},
			{"limits", "show", "--config", file, "--key", "a"}, {"limits", "reset", "--config", inDocument, "--key", "a"},
		} {
			t.Run(kind+" "+strings.Join(args[:2], " "), func(t *testing.T) {
				t.Parallel()
				if args[0] == "serve" {
					args = append(args, "--grpc", "127.0.0.1:0", "--admin", "")
				}
				p := process(t, args...)
				select {
				case <-p.Exited:
				case <-time.After(testprocess.Patience):
					t.Errorf("%v goes on", args)
				}
				if !strings.Contains(p.Log.String(), "clerkgate: ") || strings.Contains(p.Log.String(), "goroutine ") {
					t.Errorf("%v says %q", args, p.Log)
				}
			})
		}
	}
}

// A document can come by the standard input, and is bounded there as well.
func TestValidateReadsTheStandardInput(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"clerk: {publishable_key: " + publishableKey + "}":           "-: valid, 0 rules",
		"clerk: {publishable_key: " + publishableKey + "}\nmode: up": "stdin:2:7: mode",
		strings.Repeat("#", 1<<20+1):                                 "larger than 1 MiB",
	} {
		if out, err := runWith(t, strings.NewReader(input), "validate", "-"); !strings.Contains(out, want) || (err == nil) != strings.Contains(want, "valid,") {
			t.Errorf("%v, %.300s", err, out)
		}
	}
}

// Who gives a Caddyfile is told where to go with it.
func TestValidateKnowsACaddyfile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Caddyfile", "site.caddyfile"} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, "app.example.com {\n\tclerk_auth {\n\t}\n}\n")
		if out, err := run(t, "validate", path); err == nil || !strings.Contains(out, "caddy validate") {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// Without a file it is the one that serve reads.
func TestValidateTakesTheFileOfServe(t *testing.T) {
	good := document(t, "")
	t.Chdir(filepath.Dir(good))
	for _, args := range [][]string{{}, {"--config", good}, {good}} {
		if out, err := run(t, append([]string{"validate"}, args...)...); err != nil || !strings.Contains(out, "valid, 0 rules") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
