package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/service"
)

const publishableKey = clerktest.OfflineKey

// document writes a policy document with an offline key.
func document(t *testing.T, rest string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clerkgate.yaml")
	write(t, path, clerktest.OfflineDocument(t)+rest)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return runWith(t, strings.NewReader(""), args...)
}

func runWith(t *testing.T, in io.Reader, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetIn(in)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestValidateNamesWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	good := document(t, "rules:\n  - {name: docs, match: {path: /docs/:path*}, access: public}\n")
	if out, err := run(t, "validate", good); err != nil || !strings.Contains(out, "valid, 1 rule, 0 warnings") {
		t.Errorf("%v: %s", err, out)
	}
	bad := document(t, "rules:\n  - {name: docs, match: {paths: /docs}}\n")
	out, err := run(t, "validate", good, bad)
	if err == nil || !strings.Contains(out, bad+`:3:26: rules[0].match: unknown key "paths" (did you mean "path"?)`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestStrictValidationCountsWarnings(t *testing.T) {
	t.Parallel()
	const rule = "rules:\n  - {name: api, match: {path: /api(.*)}, access: public}\n"
	doubtful, silenced := document(t, rule), document(t, rule+"ignore_warnings: [pattern-also-matches]\n")
	out, err := run(t, "validate", doubtful)
	if want := doubtful + ":3:31: warning: rules[0].match.path: "; err != nil && !strings.Contains(out, want) || !strings.Contains(out, "[pattern-also-matches]") {
		t.Errorf("%v: %s lacks %s", err, out, want)
	}
	if out, err := run(t, "validate", "--strict", doubtful); err == nil {
		t.Errorf("a warning passes --strict: %s", out)
	}
	if out, err := run(t, "validate", "--strict", silenced); err != nil || strings.Contains(out, "warning:") {
		t.Errorf("%v: %s", err, out)
	}
}

// What Clerk's own documentation has people write is good to know about, and no
// more.
func TestNotesNeverCount(t *testing.T) {
	t.Parallel()
	idiom := document(t, "rules:\n  - {name: pages, match: {path: [/, /sign-in(.*)]}, access: public}\n  - {name: admin, match: {path: /admin(.*)}}\n")
	out, err := run(t, "validate", "--strict", idiom)
	if err != nil || strings.Contains(out, "also matches") || !strings.Contains(out, "0 warnings") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = run(t, "validate", "--strict", "--notes", idiom); err != nil || strings.Count(out, ": note: ") != 2 || !strings.Contains(out, "0 warnings") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	commands := command().Commands()
	for i := 0; i < len(commands); i++ {
		cmd := commands[i]
		commands = append(commands, cmd.Commands()...)
		if cmd.Name() == "version" {
			continue
		}
		words := strings.Fields(cmd.CommandPath())[1:]
		if out, err := run(t, append(words, "--help")...); err != nil || !strings.Contains(out, "Examples:") {
			t.Errorf("%v --help: %v\n%s", words, err, out)
		}
	}
	for _, arg := range []string{"version", "--version"} {
		if out, err := run(t, arg); err != nil || !strings.HasPrefix(out, "clerkgate ") {
			t.Errorf("%s: %v: %s", arg, err, out)
		}
	}
}

func TestAdminAnswersHealthAndNothingElse(t *testing.T) {
	t.Parallel()
	ready := false
	server := httptest.NewServer(adminHandler(func() service.Readiness {
		state := service.PartNotReady
		if ready {
			state = service.PartOK
		}
		return service.Readiness{Ready: true}.With(service.Part{Name: "keys", State: state, Detail: "as they are"})
	}, newRegistry()))
	defer server.Close()
	for _, c := range []struct {
		method, path string
		ready        bool
		status       int
		body         string
	}{
		{"GET", "/healthz", false, 200, "alive"},
		{"GET", "/readyz", false, 503, "not ready"},
		{"GET", "/readyz", true, 200, "ready"},
		{"GET", "/readyz?verbose", false, 503, "[-]keys not ready: as they are\nnot ready\n"},
		{"GET", "/readyz?verbose", true, 200, "[+]keys ok: as they are\nready\n"},
		{"GET", "/metrics", true, 200, "go_goroutines"},
		{"GET", "/buildinfo", true, 200, `"go":"go1.`},
		{"GET", "/debug/pprof/", true, 404, ""},
		{"POST", "/readyz", true, 405, ""},
	} {
		ready = c.ready
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s %s: %d %.80q, want %d %q", c.method, c.path, response.StatusCode, body, c.status, c.body)
		}
	}
}

func TestServeBecomesReadyReloadsAndDrains(t *testing.T) {
	path := document(t, "default: {access: deny}\n")
	ctx, stop := context.WithCancel(t.Context())
	o := &serveOptions{config: path, grpc: "unix:" + filepath.Join(t.TempDir(), "grpc.sock"), admin: "127.0.0.1:0", timeout: 100 * time.Millisecond}
	done := make(chan error, 1)
	go func() { done <- serve(ctx, o) }()
	socket := strings.TrimPrefix(o.grpc, "unix:")
	eventually(t, func() bool { _, err := os.Stat(socket); return err == nil })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there")
	}
}

func TestServeRefusesAWrongDocument(t *testing.T) {
	t.Parallel()
	if _, err := run(t, "serve", "--config", document(t, "rules: [{name: a}]\n")); err == nil || !strings.Contains(err.Error(), "rules[0]") {
		t.Errorf("got %v", err)
	}
	if _, err := run(t, "serve", "--config", document(t, ""), "--log-level", "loud"); err == nil || !strings.Contains(err.Error(), "loud") {
		t.Errorf("got %v", err)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("it does not come to pass")
		case <-tick.C:
		}
	}
}
