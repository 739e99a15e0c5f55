package testingress

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Istio translates manifests, and the Services in service.yaml, by Istio's own control
// plane: the command tools/kubernetes/istio, which CLERKGATE_ISTIO names. folder is
// examples/ingress. Left out is what only Istio's Envoy has: filters that count and mark
// for its telemetry, and the mutual TLS of its mesh.
func Istio(tb testing.TB, folder, file string) *Configuration {
	tb.Helper()
	out := translate(tb, "CLERKGATE_ISTIO", "tools/kubernetes/istio", manifests(tb, folder, file))
	c := &Configuration{}
	if err := json.Unmarshal(out, c); err != nil {
		tb.Fatalf("what Istio made of %s: %v", file, err)
	}
	for _, listener := range c.Listeners {
		walk(listener, func(r Resource) {
			if filters, ok := r["httpFilters"].([]any); ok {
				r["httpFilters"] = withoutIstios(filters)
			}
		})
	}
	for _, cluster := range c.Clusters {
		delete(cluster, "filters")
		delete(cluster, "transportSocketMatches")
		endpoints, err := istioEndpoints(fmt.Sprint(cluster["name"]))
		if err != nil {
			tb.Fatalf("what Istio made of %s: %v", file, err)
		}
		c.Endpoints = append(c.Endpoints, endpoints)
	}
	return c
}

// withoutIstios are the filters that every Envoy has.
func withoutIstios(filters []any) []any {
	var kept []any
	for _, filter := range filters {
		if name, _ := filter.(Resource)["name"].(string); !strings.HasPrefix(name, "istio.") {
			kept = append(kept, filter)
		}
	}
	return kept
}

// istioEndpoints stands for the pods of a cluster, which Istio names after port and host:
// outbound|9000||clerkgate.clerkgate.svc.cluster.local.
func istioEndpoints(cluster string) (Resource, error) {
	parts := strings.Split(cluster, "|")
	if len(parts) < 4 {
		return Resource{"clusterName": cluster}, nil // one without servers
	}
	port, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, fmt.Errorf("cluster %q: %w", cluster, err)
	}
	return pods(cluster, port), nil
}
