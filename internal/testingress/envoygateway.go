package testingress

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// EnvoyGateway translates manifests, and the Services in service.yaml, by Envoy
// Gateway's own translator: egctl, which CLERKGATE_EGCTL names. folder is examples/ingress.
func EnvoyGateway(tb testing.TB, folder, file string, certificate *Certificate) *Configuration {
	tb.Helper()
	input := manifests(tb, folder, file) + certificate.secret("app-tls", "app")
	out := translate(tb, "CLERKGATE_EGCTL", "egctl of Envoy Gateway", input, "experimental", "translate",
		"--from", "gateway-api", "--to", "gateway-api,xds", "--add-missing-resources", "--output", "json", "--file", "-")
	c, err := readTranslation(out)
	if err != nil {
		tb.Fatalf("what egctl made of %s: %v", file, err)
	}
	return c
}

// readTranslation reads what egctl prints: the resources for Envoy as a dump of its
// configuration, and the manifests with their status.
func readTranslation(out []byte) (*Configuration, error) {
	var whole map[string]any
	if err := json.Unmarshal(out, &whole); err != nil {
		return nil, err
	}
	if err := accepted(whole); err != nil {
		return nil, err
	}
	c := &Configuration{}
	into := map[string]*[]Resource{"listener": &c.Listeners, "routeConfig": &c.Routes, "cluster": &c.Clusters, "endpointConfig": &c.Endpoints}
	gateways, _ := whole["xds"].(Resource)
	if len(gateways) != 1 {
		return nil, fmt.Errorf("%d gateways", len(gateways))
	}
	for _, gateway := range gateways {
		configs, _ := gateway.(Resource)["configs"].([]any)
		for _, config := range configs {
			if config := config.(Resource); !strings.HasSuffix(fmt.Sprint(config["@type"]), ".BootstrapConfigDump") {
				walk(config, func(r Resource) {
					for key, list := range into {
						if found, ok := r[key].(Resource); ok && found["@type"] != nil {
							delete(found, "@type") // where it goes, its type is known
							*list = append(*list, found)
						}
					}
				})
			}
		}
	}
	return c, nil
}

// accepted reports a condition of a manifest that is not met: Envoy Gateway takes what
// it can, and says here what it could not.
func accepted(whole map[string]any) error {
	var errs []error
	conditions := 0
	walk(whole, func(r Resource) {
		if r["status"] == nil || r["type"] == nil || r["reason"] == nil {
			return
		}
		conditions++
		if r["status"] != "True" {
			errs = append(errs, fmt.Errorf("%v is %v: %v", r["type"], r["status"], r["message"]))
		}
	})
	if conditions == 0 {
		errs = append(errs, errors.New("no manifest has a status"))
	}
	return errors.Join(errs...)
}
