// Package repotest holds what is true of the repository as a whole: which
// package may depend on which, and the habits that no compiler checks. It has
// tests only.
package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/clerkgate/clerkgate"

// root is the top of the repository.
var root = filepath.Join("..", "..")

// pkg is what the go command says of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Doc          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// path is the import path below the module; "." for the root.
func (p *pkg) path() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// packages lists all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

// The direction: adapters -> internal/setup -> session (and its own: see CONTRIBUTING.md), ratelimit, revocation, internal/assertion -> policy.
// A name also allows what is below it.
func TestDependenciesPointOneWay(t *testing.T) {
	t.Parallel()
	for _, rule := range []struct {
		of     string
		may    []string
		reason string
	}{
		{"policy", []string{"policy/internal", "internal/pathpattern"}, "the core knows no proxy, no network and no store"},
		{"internal/target", nil, "a target is read before any rule is known"},
		{"policy/internal/answer", nil, "how an answer looks does not depend on why it is given"},
		{"session", []string{"session/jwt", "session/clerkapi", "session/internal", "policy", "internal/pathpattern"}, "who is asking does not depend on what is allowed, nor on any proxy"},
		{"session/jwt", []string{"session/internal/unverified", "session/internal/claim", "session/internal/machineid", "session/internal/calls", "session/internal/compat", "session/internal/fingerprint", "session/internal/weburl", "policy", "internal/pathpattern"}, "a token is verified by itself, whatever request it came with"},
		{"session/internal/browser", []string{"session/jwt", "session/internal/machineid", "session/internal/unverified", "session/internal/claim", "session/internal/calls", "session/internal/compat", "session/internal/fingerprint", "session/internal/weburl", "policy", "internal/pathpattern"}, "browsers have no API keys"},
		{"session/internal/machine", []string{"session/jwt", "session/internal/machineid", "session/internal/unverified", "session/internal/claim", "session/internal/calls", "session/internal/compat", "session/internal/fingerprint", "session/internal/weburl", "policy", "internal/pathpattern"}, "machines have no browsers"},
		{"session/clerkapi", []string{"session/internal/calls", "session/internal/unverified", "session/internal/claim", "session/internal/compat", "session/internal/fingerprint", "policy", "internal/pathpattern"}, "Clerk is asked about sessions, whoever wants to know"},
		{"session/internal/machineid", []string{"session/internal/unverified", "session/internal/claim", "session/internal/compat", "session/internal/fingerprint", "policy", "internal/pathpattern"}, "whom a token speaks for is the same whoever says so"},
		{"session/internal/unverified", []string{"session/internal/claim", "session/internal/compat", "policy", "internal/pathpattern"}, "taking apart verifies nothing"},
		{"session/internal/claim", []string{"session/internal/compat"}, "reading JSON knows nothing of tokens"},
		{"session/internal/calls", []string{"policy", "internal/pathpattern", "session/internal/fingerprint"}, "calls are bounded whatever is asked"},
		{"session/internal/fingerprint", nil, "names of tokens stand alone"},
		{"session/internal/compat", nil, "how Clerk's library reads is the same wherever it is asked"},
		{"session/internal/weburl", nil, "URLs know nothing of tokens"},
		{"ratelimit", []string{"policy", "internal/pathpattern"}, "counting depends on the core's types alone"},
		{"revocation", []string{"policy", "internal/pathpattern"}, "what has ended is the same for whoever asks"},
		{"internal/redisclient", []string{"policy", "internal/pathpattern"}, "a client knows nothing of what it is for"},
		{"internal/tally", []string{"policy", "session", "ratelimit", "revocation", "internal/setup", "internal/assertion", "internal/redisclient", "internal/document", "internal/pathpattern"}, "stores are counted the same in every host"},
		{"internal/assertion", []string{"policy", "internal/pathpattern"}, "who asks is signed as the core says, for whatever proxy"},
		{"internal/pathpattern", []string{"internal/pathpattern/jsregexp"}, "patterns stand alone"},
		{"forwardauth", []string{"httpgate", "policy", "internal/observe", "internal/pathpattern"}, "a dialect only translates"},
		{"httpgate", []string{"policy", "internal/observe", "internal/pathpattern"}, "every host of HTTP stands on it, so it knows none, and not what decides"},
		{"service", []string{"httpgate", "internal/setup", "internal/tally", "internal/observe", "internal/sessionpage", "internal/frontendapi", "policy", "session", "ratelimit", "revocation", "internal/assertion", "internal/redisclient", "internal/document", "internal/pathpattern"}, "a document runs the same beside whatever asks"},
		{"internal/document", nil, "reading documents knows nothing of policies"},
		{"internal/setup", []string{"policy", "session", "ratelimit", "revocation", "internal/assertion", "internal/redisclient", "internal/document", "internal/pathpattern"}, "setup joins the pieces and knows no proxy"},
	} {
		p := find(t, rule.of)
		for _, dep := range p.Deps {
			ours, ok := strings.CutPrefix(dep, module+"/")
			if ok && !slices.Contains([]string{"internal/redact", "internal/suggest", "internal/joined", "internal/target"}, ours) && !slices.ContainsFunc(rule.may, func(may string) bool { return ours == may || strings.HasPrefix(ours, may+"/") }) { // which are about texts alone
				t.Errorf("%s depends on %s: %s", rule.of, ours, rule.reason)
			}
		}
	}
}

// Whoever embeds the module can do all that its commands do.
func TestTheCommandIsMadeOfPublicPackages(t *testing.T) {
	t.Parallel()
	for _, imported := range find(t, "cmd/clerkgate").Imports {
		if strings.HasPrefix(imported, module+"/internal/") {
			t.Errorf("cmd/clerkgate imports %s, which nobody else can", imported)
		}
	}
}

// What the core may use beside the standard library.
func TestThePolicyDependsOnNothingThatReachesOut(t *testing.T) {
	t.Parallel()
	p := find(t, "policy")
	for _, dep := range p.Deps {
		for _, bad := range []string{"caddyserver", "google.golang.org/grpc", "go-control-plane", "go-redis", "clerk-sdk", "net/http/httputil", "database/sql", "os/exec"} {
			if strings.Contains(dep, bad) {
				t.Errorf("policy depends on %s", dep)
			}
		}
	}
	allowed := regexp.MustCompile(`^(bytes|cmp|context|crypto/sha256|encoding/(binary|hex|json)|errors|fmt|iter|log/slog|maps|math|net/(http|netip|url)|regexp|runtime/debug|slices|strconv|strings|sync(/atomic)?|time|unicode(/utf8)?)$`)
	libraries := []string{"cel.dev/cel-go/cel", "cel.dev/cel-go/common/ast", "cel.dev/cel-go/common/operators", "cel.dev/cel-go/common/types",
		module + "/internal/pathpattern", module + "/internal/target", module + "/internal/redact", module + "/internal/suggest", module + "/policy/internal/answer"}
	for _, imported := range p.Imports {
		if !allowed.MatchString(imported) && !slices.Contains(libraries, imported) {
			t.Errorf("policy imports %s: add it here if the core really needs it", imported)
		}
	}
}

// A request of net/http is read in one place, so that all hosts read it alike.
func TestOnePackageReadsHTTPRequests(t *testing.T) {
	t.Parallel()
	makes := regexp.MustCompile(`\bpolicy\.Request\{`)
	found := 0
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if !makes.Match(text) {
				continue
			}
			found++
			if bytes.Contains(text, []byte(`"net/http"`)) && !slices.Contains([]string{"httpgate", "examples/demo"}, p.path()) { // which asks of its own accord
				t.Errorf("%s/%s makes a policy.Request; httpgate.Request does that", p.path(), name)
			}
		}
	}
	if found == 0 {
		t.Error("nothing makes a policy.Request")
	}
}

// Only these import the hosts directly.
func TestHostsStayInTheirAdapters(t *testing.T) {
	t.Parallel()
	for _, rule := range []struct {
		prefixes []string
		may      []string
	}{
		{[]string{"github.com/caddyserver/"}, []string{"caddyplugin", "cmd/caddy", "examples/demo"}},
		{[]string{"google.golang.org/grpc", "github.com/envoyproxy/", "google.golang.org/protobuf"}, []string{"extauthz", "internal/testenvoy"}},
		{[]string{"github.com/clerk/"}, []string{"session", "session/clerkapi", "internal/sessionpage"}},
	} {
		for _, p := range packages(t) {
			for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				if slices.ContainsFunc(rule.prefixes, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }) && !slices.Contains(rule.may, p.path()) {
					t.Errorf("%s imports %s; only %v may", p.path(), imported, rule.may)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}

func TestTheModuleReplacesNothing(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\nreplace ")) {
		t.Error("go.mod has a replace, which users of the module do not get")
	}
}

// Files hold one idea and fit on a few screens.
func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if lines := bytes.Count(text, []byte("\n")); lines > 500 {
				t.Errorf("%s/%s has %d lines", p.path(), name, lines)
			}
		}
	}
}

// find returns one package.
func find(t *testing.T, path string) *pkg {
	t.Helper()
	all := packages(t)
	i := slices.IndexFunc(all, func(p pkg) bool { return p.path() == path })
	if i < 0 {
		t.Fatalf("there is no package %s", path)
	}
	return &all[i]
}
