// The command istio prints what Istio's control plane would hand to the Envoy of its
// ingress gateway for the manifests on standard input: Services, the mesh's configuration
// in an IstioOperator, and Istio's own resources.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/serviceregistry/kube"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
	corev1 "k8s.io/api/core/v1"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const domain = "cluster.local"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "istio:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	logging := log.DefaultOptions()
	logging.OutputPaths = []string{"stderr"} // standard output is for the resources
	if err := log.Configure(logging); err != nil {
		return err
	}
	options, err := read(in)
	if err != nil {
		return err
	}
	var resources map[string][]json.RawMessage
	failed := test.Wrap(func(t test.Failer) {
		generator := core.NewConfigGenTest(t, *options)
		resources, err = generate(generator)
	})
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(resources)
}

// read sorts manifests by who takes them.
func read(in io.Reader) (*core.TestOptions, error) {
	options := &core.TestOptions{MeshConfig: mesh.DefaultMeshConfig()}
	var configs []string
	for reader := yamlutil.NewYAMLReader(bufio.NewReader(in)); ; {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			options.ConfigString = strings.Join(configs, "\n---\n")
			return options, nil
		}
		if err != nil {
			return nil, err
		}
		isConfig, err := take(options, doc)
		if err != nil {
			return nil, err
		}
		if isConfig {
			configs = append(configs, string(doc))
		}
	}
}

// take puts a manifest that is none of Istio's own resources into the options.
func take(options *core.TestOptions, doc []byte) (isConfig bool, err error) {
	var head struct {
		Kind string
		Spec struct{ MeshConfig map[string]any }
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return false, err
	}
	switch head.Kind {
	case "Service":
		var service corev1.Service
		if err := yaml.UnmarshalStrict(doc, &service); err != nil {
			return false, err
		}
		options.Services = append(options.Services, kube.ConvertService(service, nil, domain, "Kubernetes", domain))
		return false, nil
	case "IstioOperator":
		text, err := yaml.Marshal(head.Spec.MeshConfig)
		if err == nil {
			options.MeshConfig, err = mesh.ApplyMeshConfig(string(text), options.MeshConfig)
		}
		return false, err
	case "", "Namespace":
		return false, nil
	}
	return true, nil
}

// generate makes the resources of the gateway that the examples select.
func generate(g *core.ConfigGenTest) (map[string][]json.RawMessage, error) {
	labels := map[string]string{"istio": "ingressgateway"}
	proxy := g.SetupProxy(&model.Proxy{
		Type: model.Router, ConfigNamespace: "istio-system", IPAddresses: []string{"10.0.0.1"}, Labels: labels,
		Metadata: &model.NodeMetadata{Namespace: "istio-system", IstioVersion: "1.31.0", Labels: labels},
	})
	resources := map[string][]json.RawMessage{}
	var errs error
	add := func(kind string, resource proto.Message) {
		text, err := protojson.Marshal(resource)
		errs = errors.Join(errs, err)
		resources[kind] = append(resources[kind], text)
	}
	for _, listener := range g.Listeners(proxy) {
		add("listeners", listener)
	}
	for _, routes := range g.Routes(proxy) {
		add("routes", routes)
	}
	for _, cluster := range g.Clusters(proxy) {
		add("clusters", cluster)
	}
	return resources, errs
}
