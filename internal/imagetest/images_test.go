package imagetest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

const dockerfile = "../../Dockerfile"

// buildArgs are those of the release.
var buildArgs = map[string]string{"VERSION": "1.2.3", "REVISION": "0123abcd"}

// An image has the program and the certificates, the program needs nothing else, and
// the labels say what it is.
func TestAnImageHoldsOneProgram(t *testing.T) {
	for target, folders := range map[string][]string{"clerkgate": nil, "caddy": {"config", "data"}} {
		i := build(t, dockerfile, target, buildArgs)
		if want := slices.Sorted(slices.Values(append([]string{certificates[1:], "usr/bin/" + target}, folders...))); !slices.Equal(leaves(t, i.Root), want) {
			t.Errorf("%s holds %q, want %q", target, leaves(t, i.Root), want)
		}
		program := "/usr/bin/" + target
		if !slices.Equal(i.Entrypoint, []string{program}) || len(i.Expose) == 0 {
			t.Errorf("%s starts with %q and exposes %q", target, i.Entrypoint, i.Expose)
		}
		static(t, inside(i.Root, program))
		for name, want := range map[string]string{"version": "1.2.3", "revision": "0123abcd", "licenses": "Apache-2.0", "source": "https://github.com/clerkgate/clerkgate"} {
			if got := i.Labels["org.opencontainers.image."+name]; got != want {
				t.Errorf("%s: the label %s is %q, want %q", target, name, got, want)
			}
		}
	}
	if stages, err := readDockerfile(dockerfile); err != nil || stages[len(stages)-1].name != "clerkgate" {
		t.Errorf("what is built without a target: %v", err)
	}
}

// leaves lists the files and the empty folders below a root.
func leaves(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if below, err := os.ReadDir(path); err != nil || len(below) > 0 {
				return err
			}
		}
		relative, err := filepath.Rel(root, path)
		all = append(all, relative)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// static fails where a program needs a loader or a library, or has the paths of the
// machine that built it.
func static(t *testing.T, path string) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP || program.Type == elf.PT_DYNAMIC {
			t.Errorf("%s has a segment %s", path, program.Type)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(here+"/")) {
		t.Errorf("%s names %s", path, here)
	}
}

// The server runs in its image, takes its keys from Clerk over https, and its health
// check says so.
func TestTheServerRunsInItsImage(t *testing.T) {
	i, ok := isolated(t, func() *image { return build(t, dockerfile, "clerkgate", buildArgs) })
	if !ok {
		return
	}
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{"https://app.example.com"}})
	authority := serveClerk(t, clerk)
	document := fmt.Sprintf("clerk: {publishable_key: %s, secret_key: %s, authorized_parties: https://app.example.com}\n", clerk.PublishableKey(), clerk.SecretKey())
	files := map[string]string{"/etc/hosts": "127.0.0.1 localhost " + apiHost + "\n", "/etc/clerkgate/clerkgate.yaml": document}
	stranger := i.contain(t, nil, files)
	files[certificates] = read(t, inside(i.Root, certificates)) + "\n" + authority
	friend := i.contain(t, nil, files)

	if out, err := friend.output(t, "/usr/bin/clerkgate", "version"); err != nil || !strings.HasPrefix(out, "clerkgate 1.2.3 0123abcd go") {
		t.Errorf("version: %v, %s", err, out)
	}
	if out, err := friend.output(t, "/usr/bin/clerkgate", "serve", "--config", "/etc/clerkgate/clerkgate.yaml", "--grpc", "unix:/authz.sock"); err == nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("writing to the image: %v, %s", err, out)
	}

	p, cmd := friend.run(t)
	friend.awaitHealth(t, p)
	powerless(t, cmd.Process.Pid)
	p.Signal(os.Interrupt)
	p.Signal(os.Interrupt) // which ends it at once
	<-p.Exited

	p, _ = stranger.run(t)
	err := testprocess.Poll(func() (bool, error) {
		if !strings.Contains(p.Log.String(), "certificate signed by unknown authority") {
			return false, fmt.Errorf("no word of the certificate: %s", p.Log)
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := stranger.output(t, i.Health...); err == nil {
		t.Errorf("without the authority it is healthy: %s", out)
	}
	p.Signal(os.Interrupt)
	p.Signal(os.Interrupt)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// powerless fails where a process is more than the user 65532.
func powerless(t *testing.T, pid int) {
	t.Helper()
	status := read(t, fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range []string{"Uid:\t65532\t65532\t65532\t65532\n", "Gid:\t65532\t65532\t65532\t65532\n", "Groups:\t \n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n"} {
		if !strings.Contains(status, line) {
			t.Errorf("no line %q in\n%s", line, status)
		}
	}
}

// Caddy runs in its image and decides.
func TestCaddyRunsInItsImage(t *testing.T) {
	i, ok := isolated(t, func() *image { return build(t, dockerfile, "caddy", buildArgs) })
	if !ok {
		return
	}
	const base = "http://127.0.0.1:8080"
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{base}})
	authority := serveClerk(t, clerk)
	c := i.contain(t, map[string]string{"CLERK_PUBLISHABLE_KEY": clerk.PublishableKey(), "CLERK_SECRET_KEY": clerk.SecretKey()}, map[string]string{
		"/etc/hosts":           "127.0.0.1 localhost " + apiHost + "\n",
		certificates:           read(t, inside(i.Root, certificates)) + "\n" + authority,
		"/etc/caddy/Caddyfile": strings.ReplaceAll(read(t, "../../Caddyfile.example"), "http://localhost:8080", base),
	})
	if out, err := c.output(t, "/usr/bin/caddy", "list-modules"); err != nil || !strings.Contains(out, "http.handlers.clerk_auth\n") {
		t.Errorf("list-modules: %v, %s", err, out)
	}
	p, cmd := c.run(t)
	p.AwaitListening(t, "127.0.0.1:8080")
	powerless(t, cmd.Process.Pid)
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	token := clerk.Mint(session, clerktest.Token{})
	await(t, base, "/admin", token, 200)
	for _, c := range []struct {
		path, token string
		want        int
	}{{"/", "", 200}, {"/dashboard", "", 401}, {"/dashboard", token, 200}, {"/dashboard", token + "x", 401}} {
		if status, _ := get(t, base, c.path, c.token); status != c.want {
			t.Errorf("%s with %q: %d, want %d", c.path, c.token, status, c.want)
		}
	}
	if saved, err := os.ReadDir(inside(c.root, "/config/caddy")); err != nil || len(saved) == 0 {
		t.Errorf("Caddy saved nothing below /config: %v", err)
	}
}

// await asks until a path is answered as it will be once keys are there.
func await(t *testing.T, base, path, token string, want int) {
	t.Helper()
	err := testprocess.Poll(func() (bool, error) {
		if status, _ := get(t, base, path, token); status != want {
			return false, fmt.Errorf("%s: %d, want %d", path, status, want)
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
