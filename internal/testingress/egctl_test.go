//go:build egctl

package testingress_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testingress"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// The translator of the tests makes what egctl makes. That takes minutes more to build,
// so that all that both make is compared by ./test.sh egctl alone.
func TestTheTranslatorDoesWhatEgctlDoes(t *testing.T) {
	egctl := testprocess.Binary(t, "CLERKGATE_EGCTL", "egctl of Envoy Gateway", "")
	certificate := testingress.NewCertificate(t)
	for _, file := range []string{"envoy-gateway-grpc.yaml", "envoy-gateway-http.yaml"} {
		cmd := exec.CommandContext(t.Context(), egctl, "experimental", "translate", "--from", "gateway-api", "--to", "xds",
			"--add-missing-resources", "--output", "json", "--file", filepath.Join(t.TempDir(), "manifests.yaml"))
		if err := os.WriteFile(cmd.Args[len(cmd.Args)-1], []byte(testingress.EnvoyGatewayInput(t, folder, file, certificate)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		ours := testingress.EnvoyGateway(t, folder, file, certificate)
		if theirs := readDump(t, out); !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: egctl makes something else:\n%v\n%v", file, ours, theirs)
		}
	}
}

// readDump reads the dump of a configuration that egctl prints.
func readDump(t *testing.T, out []byte) *testingress.Configuration {
	t.Helper()
	var whole struct {
		Xds map[string]struct{ Configs []json.RawMessage }
	}
	if err := json.Unmarshal(out, &whole); err != nil {
		t.Fatal(err)
	}
	c := &testingress.Configuration{}
	for _, gateway := range whole.Xds {
		for _, text := range gateway.Configs {
			var config struct {
				DynamicListeners []struct {
					ActiveState struct{ Listener testingress.Resource }
				}
				DynamicRouteConfigs    []struct{ RouteConfig testingress.Resource }
				DynamicActiveClusters  []struct{ Cluster testingress.Resource }
				DynamicEndpointConfigs []struct{ EndpointConfig testingress.Resource }
			}
			if err := json.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			take := func(list *[]testingress.Resource, r testingress.Resource) {
				delete(r, "@type")
				*list = append(*list, r)
			}
			for _, l := range config.DynamicListeners {
				take(&c.Listeners, l.ActiveState.Listener)
			}
			for _, r := range config.DynamicRouteConfigs {
				take(&c.Routes, r.RouteConfig)
			}
			for _, cluster := range config.DynamicActiveClusters {
				take(&c.Clusters, cluster.Cluster)
			}
			for _, e := range config.DynamicEndpointConfigs {
				take(&c.Endpoints, e.EndpointConfig)
			}
		}
	}
	return c
}
