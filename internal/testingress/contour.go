package testingress

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Contour translates manifests, and the Services in service.yaml, by Contour's own
// packages: the command that tools/kubernetes/contour/build.sh builds, which
// CLERKGATE_CONTOUR names. folder is examples/ingress.
func Contour(tb testing.TB, folder, file string, certificate *Certificate) *Configuration {
	tb.Helper()
	input := manifests(tb, folder, file) + certificate.secret("app-tls", "app")
	out := translate(tb, "CLERKGATE_CONTOUR", "the program of tools/kubernetes/contour", input)
	c := &Configuration{}
	if err := json.Unmarshal(out, c); err != nil {
		tb.Fatalf("what Contour made of %s: %v", file, err)
	}
	for _, cluster := range c.Clusters {
		port, err := contourPort(fmt.Sprint(cluster["name"]))
		if err != nil {
			tb.Fatalf("what Contour made of %s: %v", file, err)
		}
		eds, _ := cluster["edsClusterConfig"].(Resource)
		c.Endpoints = append(c.Endpoints, pods(eds["serviceName"], port))
	}
	return c
}

// contourPort is the port of the Service behind a cluster, which Contour names after it,
// app/app/3000/da39a3ee5e, or after an ExtensionService, extension/clerkgate/clerkgate.
func contourPort(cluster string) (int, error) {
	if strings.HasPrefix(cluster, "extension/") {
		return GRPCPort, nil
	}
	parts := strings.Split(cluster, "/")
	if len(parts) != 4 {
		return 0, fmt.Errorf("cluster %q has no port", cluster)
	}
	return strconv.Atoi(parts[2])
}
