package resource

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	envoygateway "github.com/envoyproxy/gateway"
)

// This file is in the place of validator.go and defaulter.go, which do the same by a
// library that brings the whole API server.

// definition is what a resource definition says of one kind.
type definition struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
}

// definitions are those of Envoy Gateway and of the Gateway API.
var definitions = sync.OnceValues(func() (map[schema.GroupVersionKind]*definition, error) {
	all := map[schema.GroupVersionKind]*definition{}
	for _, doc := range strings.Split(string(envoygateway.GatewayCRDs), "\n---\n") {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal([]byte(doc), &crd); err != nil {
			return nil, err
		}
		for _, version := range crd.Spec.Versions {
			var props apiextensions.JSONSchemaProps
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &props, nil); err != nil {
				return nil, err
			}
			structural, err := structuralschema.NewStructural(&props)
			if err != nil {
				return nil, err
			}
			validator, _, err := validation.NewSchemaValidator(&props)
			if err != nil {
				return nil, err
			}
			all[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = &definition{structural, validator}
		}
	}
	return all, nil
})

func definitionOf(kind schema.GroupVersionKind) (*definition, error) {
	all, err := definitions()
	if err != nil {
		return nil, err
	}
	if d := all[kind]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("no definition of %v", kind)
}

// Validator holds resources to their definitions.
type Validator struct{}

// GetDefaultValidator returns it.
func GetDefaultValidator() *Validator { return &Validator{} }

// Validate reports what is wrong with a resource.
func (*Validator) Validate(content []byte) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(content, &object.Object); err != nil {
		return err
	}
	object = object.DeepCopy()
	d, err := definitionOf(object.GroupVersionKind())
	if err != nil {
		return err
	}
	unknown := pruning.PruneWithOptions(object.Object, d.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields: %s", strings.Join(unknown, ", "))
	}
	defaulting.Default(object.Object, d.structural)
	return validation.ValidateCustomResource(nil, object.Object, d.schema).ToAggregate()
}

// Defaulter fills in the defaults of definitions.
type Defaulter struct{}

// GetGatewaySchemaDefaulter returns it.
func GetGatewaySchemaDefaulter() *Defaulter { return &Defaulter{} }

// ApplyDefault returns a resource with defaults.
func (*Defaulter) ApplyDefault(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if object == nil || object.Object == nil {
		return nil, errors.New("there is no resource")
	}
	d, err := definitionOf(object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	filled := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object.Object)}
	defaulting.Default(filled.Object, d.structural)
	return filled, nil
}
