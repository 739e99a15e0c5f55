package packagetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

const top = "../.."

// release is what this test reads of the configuration of releases.
type release struct {
	ProjectName string `yaml:"project_name"`
	Builds      []struct {
		Main       string
		Env, Flags []string
		GOOS       []string `yaml:"goos"`
		GOARCH     []string `yaml:"goarch"`
	}
	NFPMs []map[string]any
}

func readRelease(t *testing.T) *release {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var r release
	if err := yaml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Builds) != 1 || len(r.NFPMs) != 1 {
		t.Fatalf("%d builds, %d sets of packages", len(r.Builds), len(r.NFPMs))
	}
	return &r
}

// packages returns the packages of this system's kind: those of a release in the
// folder CLERKGATE_DIST, or what nfpm, with which releases are made, makes of the same
// configuration.
func packages(t *testing.T) (deb, rpm string) {
	t.Helper()
	if dist := os.Getenv("CLERKGATE_DIST"); dist != "" {
		return only(t, filepath.Join(dist, "*_linux_"+runtime.GOARCH+".deb")), only(t, filepath.Join(dist, "*_linux_"+runtime.GOARCH+".rpm"))
	}
	nfpm, r, folder := testprocess.Binary(t, "CLERKGATE_NFPM", "nfpm", "nfpm"), readRelease(t), t.TempDir()
	binary := filepath.Join(folder, r.ProjectName)
	build := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", binary}, r.Builds[0].Flags...), "-ldflags=-s -w", r.Builds[0].Main)...)
	build.Dir, build.Env = top, append(os.Environ(), r.Builds[0].Env...)
	run(t, build)

	made := r.NFPMs[0]
	made["name"], made["arch"], made["platform"], made["version"] = r.ProjectName, runtime.GOARCH, "linux", "1.2.3"
	made["depends"] = made["dependencies"]
	contents, ok := made["contents"].([]any)
	if !ok {
		t.Fatal("no contents")
	}
	made["contents"] = append(contents, map[string]any{"src": binary, "dst": made["bindir"].(string) + "/" + r.ProjectName, "file_info": map[string]any{"mode": 0o755}})
	for _, word := range []string{"dependencies", "formats", "bindir", "mtime"} { // of goreleaser alone
		delete(made, word)
	}
	text, err := yaml.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "nfpm.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"deb", "rpm"} {
		cmd := exec.CommandContext(t.Context(), nfpm, "package", "--config", config, "--packager", kind, "--target", filepath.Join(folder, "made."+kind))
		cmd.Dir = top
		run(t, cmd)
	}
	return filepath.Join(folder, "made.deb"), filepath.Join(folder, "made.rpm")
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
