package kubernetes_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// notes returns what Helm says after an installation.
func notes(t *testing.T, file string, args ...string) string {
	t.Helper()
	out, err := helm(t, append([]string{"install", release, chart, "--namespace", namespace, "--dry-run=client", "--values", filepath.Join(chart, "ci", file+".yaml")}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	_, told, found := strings.Cut(out, "\nNOTES:\n")
	if !found {
		t.Fatal("there are no notes")
	}
	return told
}

// The notes name what is there, and warn of what holds less than it seems to.
func TestChartNotes(t *testing.T) {
	t.Parallel()
	const (
		alone  = "the document has no redis"
		open   = "networkPolicy.enabled is false"
		unseen = "Prometheus cannot reach"
		unused = "the document does not mention"
	)
	for _, test := range []struct {
		file  string
		set   string
		says  []string
		warns []string
	}{
		{"minimal", "", []string{"clerkgate.clerkgate.svc:9000", "rollout status deployment/clerkgate", "test clerkgate", "/readyz?verbose", "nc -w 3 -z clerkgate.clerkgate 9000"}, []string{alone}},
		{"minimal", "replicaCount=1", nil, nil},
		{"minimal", "secrets.jwtKey.name=x", nil, []string{alone, unused}},
		{"redis", "", []string{"/webhooks/clerk to clerkgate.clerkgate.svc:9080"}, nil},
		{"redis", "networkPolicy.monitoringNamespace=", nil, []string{unseen}},
		{"daemonset", "", []string{"rollout status daemonset/clerkgate"}, []string{alone}},
		{"mtls", "", []string{"by gRPC and TLS", "clerkgate.clerkgate.svc:9001/forward-auth/"}, []string{alone}},
		{"socket", "", []string{"/run/clerkgate/grpc.sock", "rollout status deployment/edge"}, []string{alone}},
		{"existing-configmap", "", nil, []string{open}},
		{"sidecar", "", []string{"ConfigMap clerkgate-policy", "clerkgate.sidecar"}, nil},
	} {
		var args []string
		if test.set != "" {
			args = []string{"--set", test.set}
		}
		told := notes(t, test.file, args...)
		for _, want := range test.says {
			if !strings.Contains(told, want) {
				t.Errorf("%s: the notes have no %q:\n%s", test.file, want, told)
			}
		}
		if got := strings.Count(told, "WARNING: "); got != len(test.warns) {
			t.Errorf("%s with %q: %d warnings, want %q:\n%s", test.file, test.set, got, test.warns, told)
		}
		for _, want := range test.warns {
			if !strings.Contains(told, want) {
				t.Errorf("%s with %q does not warn that %s", test.file, test.set, want)
			}
		}
	}
}
