package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"
)

// products are the modules that hold definitions of resources, and where in them.
var products = []struct {
	// in is the folder of the go.mod that pins the module.
	in, module, files string
}{
	{".", "github.com/envoyproxy/gateway", "charts/gateway-helm/charts/crds/crds/generated/*.yaml"},
	{".", "sigs.k8s.io/gateway-api", "config/crd/experimental/gateway.networking.k8s.io_*.yaml"},
	{".", "istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"},
	{"crds", "github.com/projectcontour/contour", "examples/contour/01-crds.yaml"},
	{"crds", "github.com/kgateway-dev/kgateway/v2", "install/helm/kgateway-crds/templates/*.yaml"},
	{"crds", "github.com/emissary-ingress/emissary/v3", "pkg/api/getambassador.io/crds.yaml"},
	{"crds", "github.com/traefik/traefik/v3", "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"},
}

// moduleFolder is where a pinned module lies, which is downloaded if need be.
func moduleFolder(t *testing.T, in, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = in
	out, err := cmd.Output()
	var found struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &found)); err != nil || found.Dir == "" {
		t.Fatalf("%s: %v %s", module, err, found.Error)
	}
	return found.Dir
}

// definition says what objects of one kind may hold.
type definition struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// loadDefinitions reads the definitions of all products.
func loadDefinitions(t *testing.T) map[schema.GroupVersionKind]*definition {
	t.Helper()
	all := map[schema.GroupVersionKind]*definition{}
	for _, p := range products {
		paths, err := filepath.Glob(filepath.Join(moduleFolder(t, p.in, p.module), filepath.FromSlash(p.files)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s has no %s: %v", p.module, p.files, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, doc := range documents(t, text) {
				if err := addDefinitions(all, doc); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
		}
	}
	return all
}

// addDefinitions adds each version of a CustomResourceDefinition.
func addDefinitions(all map[schema.GroupVersionKind]*definition, doc []byte) error {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := sigsyaml.Unmarshal(doc, &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
		return err
	}
	for _, version := range crd.Spec.Versions {
		if version.Schema == nil {
			continue
		}
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			return err
		}
		structural, err := structuralschema.NewStructural(&props)
		if err != nil {
			return err
		}
		schemaValidator, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			return err
		}
		all[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = &definition{
			structural: structural, schema: schemaValidator, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit),
		}
	}
	return nil
}

// check says what is wrong with an object, as an API server that is asked to be
// strict says it.
func (d *definition) check(ctx context.Context, object map[string]any) error {
	var wrong []string
	_, _, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return err
	}
	unknown = append(unknown, pruning.PruneWithOptions(object, d.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	for _, path := range unknown {
		wrong = append(wrong, "unknown field "+path)
	}
	defaulting.Default(object, d.structural)
	errs := validation.ValidateCustomResource(nil, object, d.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, object)...)
	byRules, _ := d.rules.Validate(ctx, field.NewPath(""), d.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range append(errs, byRules...) {
		wrong = append(wrong, err.Error())
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// documents are those of a file that are not empty.
func documents(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var all [][]byte
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := sigsyaml.UnmarshalStrict(doc, &object); err != nil {
			t.Fatalf("%v\n%s", err, bytes.TrimSpace(doc))
		}
		if len(object) > 0 {
			all = append(all, doc)
		}
	}
}
