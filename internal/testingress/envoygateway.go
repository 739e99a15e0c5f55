package testingress

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// EnvoyGateway translates manifests, and the Services in service.yaml, by Envoy
// Gateway's own translator: the command that tools/kubernetes/envoygateway/build.sh
// builds, which CLERKGATE_ENVOYGATEWAY names. folder is examples/ingress.
func EnvoyGateway(tb testing.TB, folder, file string, certificate *Certificate) *Configuration {
	tb.Helper()
	out := translate(tb, "CLERKGATE_ENVOYGATEWAY", "the program of tools/kubernetes/envoygateway", EnvoyGatewayInput(tb, folder, file, certificate))
	var c struct {
		Configuration
		// Status are the manifests with theirs.
		Status map[string]any
	}
	err := json.Unmarshal(out, &c)
	if err == nil {
		err = accepted(c.Status)
	}
	if err != nil {
		tb.Fatalf("what Envoy Gateway made of %s: %v", file, err)
	}
	return &c.Configuration
}

// EnvoyGatewayInput are the manifests that are translated.
func EnvoyGatewayInput(tb testing.TB, folder, file string, certificate *Certificate) string {
	tb.Helper()
	return manifests(tb, folder, file) + certificate.secret("app-tls", "app")
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
