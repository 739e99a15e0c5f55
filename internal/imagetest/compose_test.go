package imagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

const composeFile = "../../deploy/compose.yaml"

// project is what Docker Compose understands of a file.
type project struct {
	Services map[string]*composed
	Networks map[string]struct{ Internal bool }
}

// composed is a service of a project.
type composed struct {
	Image       string
	Command     []string
	Environment map[string]string
	Networks    map[string]any
	ReadOnly    bool     `json:"read_only"`
	CapDrop     []string `json:"cap_drop"`
	Build       *struct{ Context, Dockerfile, Target string }
	Volumes     []struct {
		Source, Target string
		ReadOnly       bool `json:"read_only"`
	}
	Ports []struct {
		Target    int
		Published string
		HostIP    string `json:"host_ip"`
	}
	DependsOn map[string]struct{ Condition string } `json:"depends_on"`
}

// compose reads the file with the library of Docker Compose.
func compose(t *testing.T, file string, env ...string) (*project, error) {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", file)
	cmd.Dir, cmd.Env = "../../tools/compose", append(os.Environ(), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, &problems)
	}
	var p project
	return &p, json.Unmarshal(out.Bytes(), &p)
}

// The file is one that Docker Compose takes, and a word that it does not know or a
// key that is missing is an error.
func TestTheComposeFileIsRead(t *testing.T) {
	t.Parallel()
	p, err := compose(t, composeFile, "CLERK_PUBLISHABLE_KEY=pk", "CLERK_SECRET_KEY=sk")
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(p.Services)); !slices.Equal(got, []string{"app", "clerkgate", "envoy", "redis"}) {
		t.Errorf("services: %q", got)
	}
	for name, s := range p.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s may write to its image, or keeps capabilities", name)
		}
		for other := range s.DependsOn {
			if !share(s, p.Services[other]) {
				t.Errorf("%s cannot reach %s", name, other)
			}
		}
		if len(s.Ports) > 0 != (name == "envoy") {
			t.Errorf("%s has ports outside: %v", name, s.Ports)
		}
		for _, v := range s.Volumes {
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s: %v", name, v.Source, err)
			}
		}
	}
	if share(p.Services["app"], p.Services["redis"]) || share(p.Services["app"], p.Services["clerkgate"]) || !p.Networks["app"].Internal || !p.Networks["store"].Internal {
		t.Error("the app is reached by more than Envoy, or Redis by more than clerkgate")
	}
	if _, err := compose(t, composeFile, "CLERK_PUBLISHABLE_KEY=", "CLERK_SECRET_KEY="); err == nil || !strings.Contains(err.Error(), "CLERK_SECRET_KEY") {
		t.Errorf("without keys: %v", err)
	}
	misspelt := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(misspelt, []byte(strings.Replace(read(t, composeFile), "read_only:", "readonly:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := compose(t, misspelt, "CLERK_PUBLISHABLE_KEY=pk", "CLERK_SECRET_KEY=sk"); err == nil {
		t.Error("a misspelt word passes")
	}
}

func share(a, b *composed) bool {
	for name := range a.Networks {
		if _, ok := b.Networks[name]; ok {
			return true
		}
	}
	return false
}

// Its Envoy is the example of the top folder, but for addresses and names.
func TestTheComposedEnvoyIsTheExample(t *testing.T) {
	t.Parallel()
	_, want, _ := strings.Cut(read(t, "../../envoy.yaml.example"), "\nnode: ")
	for _, change := range [][2]string{
		{"address: 127.0.0.1, port_value: 10000", "address: 0.0.0.0, port_value: 8080"},
		{`domains: ["app.example.com"]`, `domains: ["localhost"]`},
		{"address: 127.0.0.1, port_value: 9000", "address: clerkgate, port_value: 9000"},
		{"address: 127.0.0.1, port_value: 3000", "address: app, port_value: 3000"},
		{"      # STRICT_DNS for a name; for a unix socket: address: { pipe: { path: ... } }\n", ""},
		{"      type: STATIC\n", "      type: STRICT_DNS\n"},
	} {
		if !strings.Contains(want, change[0]) {
			t.Errorf("the example has no %q", change[0])
		}
		want = strings.ReplaceAll(want, change[0], change[1])
	}
	if _, got, _ := strings.Cut(read(t, "../../deploy/compose/envoy.yaml"), "\nnode: "); got != want {
		t.Error("deploy/compose/envoy.yaml is not envoy.yaml.example with the addresses of compose.yaml")
	}
	if err := testenvoy.Validate(t, read(t, "../../deploy/compose/envoy.yaml")); err != nil {
		t.Error(err)
	}
}

// composition is what the test inside is handed.
type composition struct {
	Project        *project
	Clerkgate, App *image
	Envoy, Redis   string
}

// All services run together as the file says, with the commands, variables and files
// in it: those that are built from their images, Envoy and Redis as they are here.
func TestTheComposedServicesWorkTogether(t *testing.T) {
	c, ok := isolated(t, func() *composition {
		c := &composition{
			Clerkgate: build(t, dockerfile, "clerkgate", buildArgs), App: build(t, "../../examples/app/Dockerfile", "", nil),
			Envoy: testenvoy.Binary(t), Redis: testprocess.Binary(t, "CLERKGATE_REDIS_SERVER", "Redis", "redis-server"),
		}
		var err error
		if c.Project, err = compose(t, composeFile, "CLERK_PUBLISHABLE_KEY=to be set", "CLERK_SECRET_KEY=to be set"); err != nil {
			t.Fatal(err)
		}
		return c
	})
	if !ok {
		return
	}
	services := c.Project.Services
	for name, target := range map[string]string{"clerkgate": "clerkgate", "app": ""} {
		if b := services[name].Build; b == nil || b.Target != target || b.Dockerfile != "Dockerfile" {
			t.Fatalf("%s is built from %v", name, b)
		}
	}
	const base = "http://localhost:8080"
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{base}})
	authority, hosts := serveClerk(t, clerk), "127.0.0.1 localhost "+apiHost+" "+strings.Join(slices.Sorted(maps.Keys(services)), " ")+"\n"
	bindHosts(t, hosts)

	redis := testprocess.Start(t, "Redis", exec.Command(c.Redis, services["redis"].Command[1:]...))
	redis.AwaitListening(t, "127.0.0.1:6379")
	app, _ := c.App.contain(t, services["app"].Environment, map[string]string{"/etc/hosts": hosts}).run(t)
	app.AwaitListening(t, "127.0.0.1:3000")

	environment := maps.Clone(services["clerkgate"].Environment)
	environment["CLERK_PUBLISHABLE_KEY"], environment["CLERK_SECRET_KEY"] = clerk.PublishableKey(), clerk.SecretKey()
	files := map[string]string{"/etc/hosts": hosts, certificates: read(t, inside(c.Clerkgate.Root, certificates)) + "\n" + authority}
	for _, v := range services["clerkgate"].Volumes {
		files[v.Target] = read(t, v.Source)
	}
	gate := c.Clerkgate.contain(t, environment, files)
	if out, err := gate.output(t, "/usr/bin/clerkgate", "validate", "--strict", "/etc/clerkgate/clerkgate.yaml"); err != nil {
		t.Fatalf("the policy: %v\n%s", err, out)
	}
	p, _ := gate.run(t, services["clerkgate"].Command...)
	gate.awaitHealth(t, p)

	args := slices.Clone(services["envoy"].Command)
	for i, arg := range args {
		for _, v := range services["envoy"].Volumes {
			if arg == v.Target {
				args[i] = v.Source
			}
		}
	}
	envoy := exec.Command(c.Envoy, append(args, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning")...)
	testprocess.Start(t, "Envoy", envoy).AwaitListening(t, "127.0.0.1:8080")

	session, err := clerk.SignIn("user_max")
	if err != nil {
		t.Fatal(err)
	}
	token := clerk.Mint(session, clerktest.Token{})
	t.Cleanup(func() { p.Signal(os.Interrupt) }) // the second signal ends it at once
	await(t, base, "/", "", http.StatusOK)
	for _, c := range []struct {
		path, token, user string
		want              int
	}{
		{"/", "", "", 200}, {"/", token, "user_max", 200},
		{"/dashboard", "", "", 401}, {"/dashboard", token, "user_max", 200}, {"/dashboard", token + "x", "", 401},
		{"/admin", token, "", 403}, {"/%2561dmin", token, "", 400}, {"/api/items", token, "user_max", 200},
	} {
		status, response := get(t, base, c.path, c.token)
		if body, err := io.ReadAll(response.Body); status != c.want || err != nil || c.user != "" && !strings.Contains(string(body), `"X-User-Id":"`+c.user+`"`) {
			t.Errorf("%s: %d, want %d for %q: %v, %s", c.path, status, c.want, c.user, err, body)
		}
	}
	counted(t)
	if status, _ := get(t, "http://127.0.0.1:8080", "/", ""); status != http.StatusMisdirectedRequest {
		t.Errorf("another host: %d", status)
	}
}

// bindHosts gives the names of the services to whatever runs in these mounts.
func bindHosts(t *testing.T, hosts string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	mount(t, file, "/etc/hosts", "", syscall.MS_BIND, "")
}

// counted fails where the limit of /api left nothing in Redis.
func counted(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "redis-cli", "dbsize").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) == "0" {
		t.Errorf("Redis counted nothing: %v, %s", err, out)
	}
}
