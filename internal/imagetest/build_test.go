package imagetest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// certificates is where Go looks for them first.
const certificates = "/etc/ssl/certs/ca-certificates.crt"

// image is what a build leaves: a root folder, and how to run what is in it.
type image struct {
	Root       string
	User       string
	Entrypoint []string
	Cmd        []string
	Health     []string
	Expose     []string
	Env        map[string]string
	Labels     map[string]string
	// Owned are the folders that the user owns.
	Owned []string
}

// builder follows a Dockerfile. What it copies from the image of Go is the
// certificates of this machine.
type builder struct {
	t       *testing.T
	context string
	args    map[string]string
	stages  []*stage
	folders map[string]string // of the stages that were run, by name
	env     map[string]map[string]string
}

// build makes the image of a target.
func build(t *testing.T, dockerfile, target string, args map[string]string) *image {
	t.Helper()
	stages, err := readDockerfile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	context, err := filepath.Abs(filepath.Dir(dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"TARGETOS": runtime.GOOS, "TARGETARCH": runtime.GOARCH}
	maps.Copy(given, args)
	b := &builder{t: t, context: context, args: given, stages: stages, folders: map[string]string{}, env: map[string]map[string]string{}}
	s, err := find(stages, target)
	if err != nil {
		t.Fatal(err)
	}
	if s.base != "scratch" {
		t.Fatalf("%s is from %s, not from scratch", target, s.base)
	}
	return b.assemble(s)
}

// assemble puts an image together.
func (b *builder) assemble(s *stage) *image {
	b.t.Helper()
	i := &image{Root: b.t.TempDir(), Env: map[string]string{}, Labels: map[string]string{}}
	declared := map[string]string{}
	var err error
	for _, step := range s.steps {
		switch step.word {
		case "COPY":
			b.copy(i, step.rest)
		case "ARG":
			declared[step.rest] = b.args[step.rest]
		case "ENV":
			maps.Copy(i.Env, assignments(step.rest, declared))
		case "LABEL":
			maps.Copy(i.Labels, assignments(step.rest, declared))
		case "USER":
			i.User = step.rest
		case "EXPOSE":
			i.Expose = strings.Fields(step.rest)
		case "ENTRYPOINT":
			i.Entrypoint, err = words(step.rest)
		case "CMD":
			i.Cmd, err = words(step.rest)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(step.rest, "CMD ")
			i.Health, err = words(command)
		default:
			b.t.Fatalf("%s from scratch", step.word)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return i
}

// copy does a COPY --from of another stage, and of no other place.
func (b *builder) copy(i *image, rest string) {
	b.t.Helper()
	var from, owner string
	var paths []string
	for _, word := range strings.Fields(rest) {
		if name, ok := strings.CutPrefix(word, "--from="); ok {
			from = name
		} else if user, ok := strings.CutPrefix(word, "--chown="); ok {
			owner = user
		} else {
			paths = append(paths, word)
		}
	}
	if from == "" || len(paths) != 2 {
		b.t.Fatalf("COPY %s: an image has only what was built", rest)
	}
	source := inside(b.run(from), paths[0])
	if paths[0] == certificates {
		source = certificates // of the base
	}
	target := inside(i.Root, paths[1])
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(source, path) //nolint:errcheck // path is below source
		to := filepath.Join(target, relative)
		if entry.IsDir() {
			if owner != "" && relative != "." {
				i.Owned = append(i.Owned, "/"+relative)
			}
			return os.MkdirAll(to, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, content, info.Mode().Perm())
	})
	if err != nil {
		b.t.Fatalf("COPY %s: %v", rest, err)
	}
	if owner != "" && owner != i.User && owner != "65532:65532" {
		b.t.Errorf("COPY %s: nobody runs as %s", rest, owner)
	}
}

// run runs the commands of a stage, and of those that it is from, and returns the
// folder in which its absolute paths are.
func (b *builder) run(name string) string {
	b.t.Helper()
	if folder, done := b.folders[name]; done {
		return folder
	}
	s, err := find(b.stages, name)
	if err != nil {
		b.t.Fatal(err)
	}
	folder, env := b.t.TempDir(), map[string]string{}
	if _, err := find(b.stages, s.base); err == nil {
		b.run(s.base)
		maps.Copy(env, b.env[s.base])
		if err := os.CopyFS(folder, os.DirFS(b.folders[s.base])); err != nil {
			b.t.Fatal(err)
		}
	} else if !strings.HasPrefix(s.base, "golang:"+goVersion(b.t)) {
		b.t.Fatalf("%s is from %s; the module needs Go %s", name, s.base, goVersion(b.t))
	}
	b.folders[name], b.env[name] = folder, env
	declared := map[string]string{}
	for _, step := range s.steps {
		switch step.word {
		case "ARG":
			declared[step.rest] = b.args[step.rest]
		case "ENV":
			maps.Copy(env, assignments(step.rest, declared))
		case "RUN":
			b.shell(folder, env, declared, step.rest)
		case "WORKDIR", "COPY": // the sources, where they are
		default:
			b.t.Fatalf("%s in the stage %s", step.word, name)
		}
	}
	return folder
}

// shell runs a command in the sources. Absolute paths are in folder.
func (b *builder) shell(folder string, env, declared map[string]string, command string) {
	b.t.Helper()
	for _, path := range []string{" /out/", " /empty/"} {
		command = strings.ReplaceAll(command, path, " "+folder+path[1:])
	}
	cmd := exec.CommandContext(b.t.Context(), "sh", "-ec", command)
	cmd.Dir, cmd.Env = b.context, os.Environ()
	for _, set := range []map[string]string{declared, env} {
		for name, value := range set {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("RUN %s: %v\n%s", command, err, out)
	}
}

// goVersion is the language version of the module: 1.26.
func goVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var module struct{ GoVersion string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(module.GoVersion, ".", 3)
	return fmt.Sprintf("%s.%s", parts[0], parts[1])
}
