// The command xds prints what Envoy Gateway would hand to its Envoy for the manifests on
// standard input, and the manifests with their status. It does what "egctl experimental
// translate" does, without all else that egctl can, and is built inside a copy of Envoy
// Gateway, as build.sh says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"github.com/envoyproxy/gateway/internal/gatewayapi"
	"github.com/envoyproxy/gateway/internal/gatewayapi/resource"
	"github.com/envoyproxy/gateway/internal/logging"
	"github.com/envoyproxy/gateway/internal/xds/translator"
	gwapiv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "envoygateway:", err)
		os.Exit(1)
	}
}

// kinds are the names of the resources in what is printed.
var kinds = map[resourcev3.Type]string{
	resourcev3.ListenerType: "listeners", resourcev3.RouteType: "routes",
	resourcev3.ClusterType: "clusters", resourcev3.EndpointType: "endpoints",
}

func run(in io.Reader, out io.Writer) error {
	manifests, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	resources, err := resource.LoadResourcesFromYAMLBytes(manifests, true, nil)
	if err != nil {
		return err
	}
	if resources.GatewayClass == nil {
		return errors.New("no GatewayClass")
	}
	logger := logging.DefaultLogger(io.Discard, egv1a1.LogLevelInfo)
	// As egctl has it.
	gateways := &gatewayapi.Translator{
		GatewayControllerName:   string(resources.GatewayClass.Spec.ControllerName),
		GatewayClassName:        gwapiv1.ObjectName(resources.GatewayClass.Name),
		EndpointRoutingDisabled: true,
		EnvoyPatchPolicyEnabled: true,
		BackendEnabled:          true,
		Logger:                  logger,
	}
	// The error is about what only a cluster has, such as the certificate by which Envoy
	// reaches its controller. What is wrong with a manifest is in its status.
	translated, _ := gateways.Translate(context.Background(), resources)
	printed := map[string]any{"status": &translated.Resources}
	if len(translated.XdsIR) != 1 {
		return fmt.Errorf("%d gateways, want one", len(translated.XdsIR))
	}
	for _, one := range translated.XdsIR {
		made, err := (&translator.Translator{Logger: logger}).Translate(context.Background(), one)
		if err != nil {
			return err
		}
		for kind, name := range kinds {
			var list []json.RawMessage
			for _, r := range made.XdsResources[kind] {
				text, err := protojson.Marshal(r)
				if err != nil {
					return err
				}
				list = append(list, text)
			}
			printed[name] = list
		}
	}
	return json.NewEncoder(out).Encode(printed)
}
