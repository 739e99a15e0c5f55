// The command xds prints what Contour would hand to its Envoy for the manifests on
// standard input: Services, Secrets, and Contour's own resources. It is built inside a
// copy of Contour, as build.sh says.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/encoding/protojson"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	contourv1 "github.com/projectcontour/contour/apis/projectcontour/v1"
	contourv1alpha1 "github.com/projectcontour/contour/apis/projectcontour/v1alpha1"
	"github.com/projectcontour/contour/internal/dag"
	envoyv3 "github.com/projectcontour/contour/internal/envoy/v3"
	"github.com/projectcontour/contour/internal/xdscache"
	xdscachev3 "github.com/projectcontour/contour/internal/xdscache/v3"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "contour:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	objects, err := read(in)
	if err != nil {
		return err
	}
	log := logrus.New() // to standard error
	builder := &dag.Builder{
		Source: dag.KubernetesCache{FieldLogger: log},
		// As "contour serve" has them, for objects of Contour's own.
		Processors: []dag.Processor{
			&dag.ListenerProcessor{HTTPAddress: "0.0.0.0", HTTPPort: 8080, HTTPSAddress: "0.0.0.0", HTTPSPort: 8443},
			&dag.ExtensionServiceProcessor{FieldLogger: log},
			&dag.HTTPProxyProcessor{SetSourceMetadataOnRoutes: true},
		},
	}
	for _, object := range objects {
		builder.Source.Insert(object)
	}
	root := builder.Build()
	if err := valid(root); err != nil {
		return err
	}
	return generate(root, out)
}

// read decodes manifests, strictly.
func read(in io.Reader) ([]any, error) {
	if err := errors.Join(contourv1.AddToScheme(scheme.Scheme), contourv1alpha1.AddToScheme(scheme.Scheme)); err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []any
	for reader := yamlutil.NewYAMLReader(bufio.NewReader(in)); ; {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var object runtime.Object
		if object, _, err = decoder.Decode(doc, nil, nil); err != nil {
			if runtime.IsMissingKind(err) {
				continue // an empty document
			}
			return nil, err
		}
		objects = append(objects, object)
	}
}

// valid reports an object that Contour would not take.
func valid(root *dag.DAG) error {
	var errs []error
	conditions := 0
	for _, update := range root.StatusCache.GetProxyUpdates() {
		for _, condition := range update.Conditions {
			conditions++
			if condition.Status != "True" {
				errs = append(errs, fmt.Errorf("%s: %s: %v", update.Fullname, condition.Message, condition.Errors))
			}
		}
	}
	if conditions == 0 {
		errs = append(errs, errors.New("no HTTPProxy has a status"))
	}
	return errors.Join(errs...)
}

// generate makes the resources, with the settings that "contour serve" has by default.
func generate(root *dag.DAG, out io.Writer) error {
	envoy := envoyv3.NewEnvoyGen(envoyv3.EnvoyGenOpt{XDSClusterName: envoyv3.DefaultXDSClusterName})
	resources := map[string][]json.RawMessage{}
	for kind, cache := range map[string]xdscache.ResourceCache{
		"listeners": xdscachev3.NewListenerCache(xdscachev3.ListenerConfig{MergeSlashes: true}, contourv1alpha1.MetricsConfig{}, contourv1alpha1.HealthConfig{}, nil, 0, envoy),
		"routes":    &xdscachev3.RouteCache{},
		"clusters":  xdscachev3.NewClusterCache(envoy),
	} {
		cache.OnChange(root)
		for _, resource := range cache.Contents() {
			text, err := protojson.Marshal(resource)
			if err != nil {
				return err
			}
			resources[kind] = append(resources[kind], text)
		}
	}
	return json.NewEncoder(out).Encode(resources)
}
