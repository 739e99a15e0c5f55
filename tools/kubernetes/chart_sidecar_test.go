package kubernetes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// withDependency copies the example with the gate beside a proxy, together with the
// chart, to where Helm may write, and lets Helm fetch the one for the other.
func withDependency(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	example := filepath.Join(top, "examples", "sidecar")
	for from, to := range map[string]string{chart: filepath.Join(top, "clerkgate"), beside: example} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := helm(t, "dependency", "build", example); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return example
}

func renderBeside(t *testing.T) *rendered {
	t.Helper()
	return render(t, withDependency(t))
}

// The gate is a container that starts before the proxy, ends after it, and shares with
// it nothing but a socket.
func TestChartBesideAProxy(t *testing.T) {
	t.Parallel()
	r := renderBeside(t)
	p := r.workload()
	if len(p.spec.InitContainers) != 1 || len(p.spec.Containers) != 1 {
		t.Fatalf("%d and %d containers", len(p.spec.InitContainers), len(p.spec.Containers))
	}
	gate, proxy := p.spec.InitContainers[0], p.spec.Containers[0]
	if gate.RestartPolicy == nil || *gate.RestartPolicy != corev1.ContainerRestartPolicyAlways || gate.StartupProbe == nil {
		t.Error("the proxy does not wait for the gate, or the gate ends before it")
	}
	if p.meta.Annotations["checksum/policy"] == "" {
		t.Error("a changed policy starts no Pod anew")
	}
	shared := 0
	for _, mount := range proxy.VolumeMounts {
		for _, of := range gate.VolumeMounts {
			if of.Name == mount.Name {
				shared++
				if mount.MountPath != of.MountPath || !strings.HasPrefix(flag(gate.Args, "grpc"), "unix:"+mount.MountPath+"/") {
					t.Errorf("they share %s", mount.Name)
				}
			}
		}
	}
	if shared != 1 {
		t.Errorf("they share %d volumes", shared)
	}
	if len(all[*corev1.Service](r)) != 1 || len(all[*corev1.ServiceAccount](r)) != 0 {
		t.Error("the dependency brings more than its policy")
	}
}

// What was rendered runs: a real Envoy by its bootstrap, the gate by its arguments, and
// the socket between them.
func TestChartBesideAProxyRuns(t *testing.T) {
	t.Parallel()
	r := renderBeside(t)
	envoy := binary(t, "CLERKGATE_ENVOY", "Envoy")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the app, for "+r.Header.Get("X-User-Id")+".")
	}))
	t.Cleanup(app.Close)
	p := r.workload()
	box := newSandbox(t, r, p)
	gate := box.start(t, p.gate(t))
	gate.awaitReady(t)

	address := freeAddress(t)
	bootstrap := box.inside(one[*corev1.ConfigMap](t, only(r, "clerkgate-envoy")).Data["envoy.yaml"])
	host, port, _ := strings.Cut(address, ":")
	appHost, appPort, _ := strings.Cut(app.Listener.Addr().String(), ":")
	for _, change := range [][2]string{
		{"address: 0.0.0.0, port_value: 8080", "address: " + host + ", port_value: " + port},
		{"address: app.app.svc.cluster.local, port_value: 3000", "address: " + appHost + ", port_value: " + appPort},
	} {
		if !strings.Contains(bootstrap, change[0]) {
			t.Fatalf("the bootstrap has no %q", change[0])
		}
		bootstrap = strings.Replace(bootstrap, change[0], change[1], 1)
	}
	run(t, exec.Command(envoy, "-c", write(t, "envoy.yaml", bootstrap), "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"))

	url := "http://" + address
	eventually(t, func() (bool, string) { return ask(t, url+"/", nil) == "200 the app, for .", ask(t, url+"/", nil) })
	for _, want := range []struct {
		path, user, answer string
	}{
		{"/", "", "200 the app, for ."},
		{"/", "user_admin", "200 the app, for ."}, // which the client only claims to be
		{"/dashboard", "", "401 "},
		{"/dashboard", "user_admin", "401 "},
	} {
		if got := ask(t, url+want.path, map[string]string{"X-User-Id": want.user}); !strings.HasPrefix(got, want.answer) {
			t.Errorf("GET %s as %q: %s\nwant %s", want.path, want.user, got, want.answer)
		}
	}
	gate.stop(t)
	if got := ask(t, url+"/", nil); !strings.HasPrefix(got, "503 ") {
		t.Errorf("without the gate: %s", got)
	}
}

// only keeps the ConfigMap of a name, and what is none.
func only(r *rendered, name string) *rendered {
	kept := &rendered{text: r.text}
	for _, object := range r.objects {
		if c, ok := object.(*corev1.ConfigMap); !ok || c.Name == name {
			kept.objects = append(kept.objects, object)
		}
	}
	return kept
}

// ask returns the status and the body of an answer.
func ask(t *testing.T, url string, headers map[string]string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "app.example.com"
	for name, value := range headers {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // what came is compared
	return response.Status[:3] + " " + string(body)
}
