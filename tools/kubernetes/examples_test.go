package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	meshconfig "istio.io/api/mesh/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
	sigsyaml "sigs.k8s.io/yaml"
)

// examples are the manifests that people paste.
var examples = filepath.Join("..", "..", "examples", "ingress")

// reader says what is wrong with documents, each in the way of who reads it.
type reader struct {
	definitions map[schema.GroupVersionKind]*definition
	// annotations are the known ones of ingress controllers, by their prefix.
	annotations map[string]func(name string) bool
	// modules are the settings that Emissary's Module named ambassador takes.
	emissary func(setting string) bool
	// traefik are the paths of the settings in Traefik's reference for its file provider.
	traefik map[string]bool
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{definitions: loadDefinitions(t), annotations: map[string]func(string) bool{}, traefik: map[string]bool{}}
	nginx := read(t, moduleFolder(t, "crds", "k8s.io/ingress-nginx"), "docs/user-guide/nginx-configuration/annotations.md")
	r.annotations["nginx.ingress.kubernetes.io/"] = func(name string) bool {
		return strings.Contains(nginx, "nginx.ingress.kubernetes.io/"+name+"](") || strings.Contains(nginx, "* `nginx.ingress.kubernetes.io/"+name+"`:")
	}
	haproxy := strings.Fields(read(t, "testdata", "haproxy-ingress-keys.txt"))
	r.annotations["haproxy-ingress.github.io/"] = func(name string) bool { return slices.Contains(haproxy, name) }
	emissary := read(t, moduleFolder(t, "crds", "github.com/emissary-ingress/emissary/v3"), "python/ambassador/ir/irambassador.py")
	r.emissary = func(setting string) bool { return strings.Contains(emissary, `"`+setting+`"`) }
	var reference map[string]any
	text := read(t, moduleFolder(t, "crds", "github.com/traefik/traefik/v3"), "docs/content/reference/dynamic-configuration/file.yaml")
	if err := sigsyaml.Unmarshal([]byte(text), &reference); err != nil {
		t.Fatal(err)
	}
	for path := range traefikPaths("", reference) {
		r.traefik[path] = true
	}
	return r
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// check says what is wrong with a document, or that nobody reads it.
func (r *reader) check(ctx context.Context, doc []byte) error {
	text, err := sigsyaml.YAMLToJSONStrict(doc)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	kind := schema.FromAPIVersionAndKind(fmt.Sprint(object["apiVersion"]), fmt.Sprint(object["kind"]))
	switch definition := r.definitions[kind]; {
	case definition != nil:
		if kind.Kind == "Module" {
			if err := r.checkModule(object); err != nil {
				return err
			}
		}
		return definition.check(ctx, object)
	case kind.Group == "install.istio.io" && kind.Kind == "IstioOperator":
		return checkMesh(object)
	case object["apiVersion"] == nil && object["kind"] == nil:
		return r.checkTraefik(object)
	}
	return r.checkBuiltIn(doc)
}

// checkBuiltIn reads an object of Kubernetes itself into its own type.
func (r *reader) checkBuiltIn(doc []byte) error {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	decoded, _, err := decoder.Decode(doc, nil, nil)
	if err != nil {
		return err
	}
	object, ok := decoded.(interface{ GetAnnotations() map[string]string })
	if !ok {
		return errors.New("it has no metadata")
	}
	for name := range object.GetAnnotations() {
		prefix, rest, _ := strings.Cut(name, "/")
		if known := r.annotations[prefix+"/"]; known == nil || !known(rest) {
			return fmt.Errorf("unknown annotation %s", name)
		}
	}
	return nil
}

// checkModule reads the settings of Emissary, which its definition leaves open.
func (r *reader) checkModule(object map[string]any) error {
	config, _, err := unstructured.NestedMap(object, "spec", "config")
	for name := range config {
		if !r.emissary(name) {
			err = errors.Join(err, fmt.Errorf("unknown setting %s", name))
		}
	}
	return err
}

// checkMesh reads the configuration of Istio's mesh into its own type. Of what is
// around it, only that may be there which the examples need.
func checkMesh(object map[string]any) error {
	spec, _ := object["spec"].(map[string]any)
	mesh, _ := spec["meshConfig"].(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	for _, level := range []struct {
		object map[string]any
		keys   []string
	}{{object, []string{"apiVersion", "kind", "metadata", "spec"}}, {spec, []string{"meshConfig"}}, {metadata, []string{"name", "namespace"}}} {
		if keys := slices.Sorted(maps.Keys(level.object)); !slices.Equal(keys, level.keys) {
			return fmt.Errorf("fields %q, want %q", keys, level.keys)
		}
	}
	text, err := sigsyaml.Marshal(mesh)
	if err == nil {
		text, err = sigsyaml.YAMLToJSON(text)
	}
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, new(meshconfig.MeshConfig)) // unknown fields are errors
}

// checkTraefik holds a file for Traefik's file provider to its reference.
func (r *reader) checkTraefik(object map[string]any) error {
	for path := range traefikPaths("", object) {
		if !r.traefik[path] {
			return fmt.Errorf("unknown field %s", path)
		}
	}
	return nil
}

// named are the fields of Traefik whose keys are names that people choose.
var named = regexp.MustCompile(`^\.http\.(routers|middlewares|services)$|\.headers\.customRequestHeaders$`)

// traefikPaths are the paths of all fields, in which * stands for a chosen name and for
// an element of a list.
func traefikPaths(at string, value any) map[string]bool {
	paths := map[string]bool{at: true}
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if named.MatchString(at) {
				key = "*"
			}
			maps.Copy(paths, traefikPaths(at+"."+key, inner))
		}
	case []any:
		for _, inner := range value {
			maps.Copy(paths, traefikPaths(at+".*", inner))
		}
	}
	return paths
}

// exampleFiles are the names of all manifests.
func exampleFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d examples, %v", len(paths), err)
	}
	return append(paths, filepath.Join(examples, "..", "forward-auth", "traefik.yaml"))
}

// Every document of every example is what the product that reads it takes.
func TestExamplesAreWhatTheirProductsTake(t *testing.T) {
	r := newReader(t)
	count := 0
	for _, path := range exampleFiles(t) {
		text := read(t, path)
		if name := filepath.Base(path); !strings.HasPrefix(text, "# ") || name != "service.yaml" && filepath.Dir(path) == examples && !strings.Contains(text, "\n# First: ") {
			t.Errorf("%s does not start with what it does, and what must be there first", name)
		}
		for i, doc := range documents(t, []byte(text)) {
			count++
			if err := r.check(t.Context(), doc); err != nil {
				t.Errorf("%s, document %d: %v", filepath.Base(path), i+1, err)
			}
		}
	}
	t.Logf("%d documents", count)
}

// free are the fields below which keys are for people to choose.
var free = regexp.MustCompile(`\.(labels|matchLabels|data|selector|requests|customRequestHeaders)$|^\.http\.(routers|middlewares|services)$`)

// No field of an example can be misspelt unnoticed.
func TestEveryMisspeltFieldIsRefused(t *testing.T) {
	r := newReader(t)
	tried := 0
	for _, path := range exampleFiles(t) {
		for i, doc := range documents(t, []byte(read(t, path))) {
			var object map[string]any
			if err := sigsyaml.Unmarshal(doc, &object); err != nil {
				t.Fatal(err)
			}
			misspell("", object, func(field string) {
				tried++
				wrong, err := sigsyaml.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				if r.check(t.Context(), wrong) == nil {
					t.Errorf("%s, document %d: a misspelt %s passes", filepath.Base(path), i+1, field)
				}
			})
		}
	}
	if tried < 300 {
		t.Errorf("only %d fields were misspelt", tried)
	}
	t.Logf("%d fields", tried)
}

// misspell changes each field in turn, and changes it back.
func misspell(at string, value any, try func(field string)) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			inner := value[key]
			misspell(at+"."+key, inner, try)
			if free.MatchString(at) {
				continue
			}
			delete(value, key)
			value[key+"x"] = inner
			try(at + "." + key)
			delete(value, key+"x")
			value[key] = inner
		}
	case []any:
		for _, inner := range value {
			misspell(at+".*", inner, try)
		}
	}
}
