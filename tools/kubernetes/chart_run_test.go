package kubernetes_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
)

// The document of each ConfigMap is valid for the real program, without a warning, with
// the secrets where the chart puts them. This is what helm test runs.
func TestChartDocumentsAreValid(t *testing.T) {
	t.Parallel()
	for _, file := range valueFiles(t) {
		r := render(t, chart, "--values", file)
		for _, p := range r.pods() {
			if p.selector != nil {
				continue
			}
			box, c := newSandbox(t, r, &p), p.spec.Containers[0]
			args := append([]string{c.Args[0], "--strict"}, c.Args[1:]...)
			if out, err := box.run(t, c, args); err != nil || !strings.Contains(out, ": valid, ") {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
			// And with one secret less it is not.
			c.Env, c.VolumeMounts = nil, c.VolumeMounts[:1]
			if out, err := newSandbox(t, r, &p).run(t, c, args); err == nil {
				t.Errorf("%s: valid without its environment: %s", file, out)
			}
		}
	}
}

// run runs a container until it ends.
func (s *sandbox) run(t *testing.T, c corev1.Container, args []string) (string, error) {
	t.Helper()
	for i := range args {
		args[i] = s.inside(args[i])
	}
	out, err := s.command(t, c, args).CombinedOutput()
	return string(out), err
}

// The real program takes the arguments, the environment and the files of each
// workload: it becomes ready, it decides, and it stops in the time it is given.
func TestChartWorkloadsRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		args       []string
	}{
		{"minimal", "minimal", nil},
		{"redis", "redis", nil},
		{"daemonset", "daemonset", nil},
		{"mtls", "mtls", nil},
		{"mtls without forward auth", "mtls", []string{"--set", "forwardAuth.enabled=false"}},
		{"socket", "socket", nil},
		{"socket with forward auth", "socket", []string{"--set", "forwardAuth.enabled=true"}},
		{"existing configmap", "existing-configmap", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := render(t, chart, append([]string{"--values", filepath.Join(chart, "ci", test.file+".yaml")}, test.args...)...)
			p := r.workload()
			box := newSandbox(t, r, p)
			if test.file == "redis" {
				box.secrets["url"] = startRedis(t, box.secrets["password"])
			}
			gate := box.start(t, p.gate(t))
			gate.awaitReady(t)
			if status := gate.check(t, box, true); status != http.StatusUnauthorized {
				t.Errorf("a check is answered %d, want 401", status)
			}
			if status := gate.forwardAuth(t, box, true); flag(gate.args, "forward-auth") != "" && status != http.StatusUnauthorized {
				t.Errorf("forward auth is answered %d, want 401", status)
			}
			if flag(gate.args, "tls-client-ca") != "" && (gate.check(t, box, false) != 0 || gate.forwardAuth(t, box, false) != 0) {
				t.Error("a client without a certificate is answered")
			}
			if metrics := ask(t, strings.TrimSuffix(gate.ready, "/readyz")+"/metrics", nil); !strings.HasPrefix(metrics, "200 ") || !strings.Contains(metrics, "clerkgate_decisions_total") {
				t.Errorf("the metrics are %.200s", metrics)
			}
			gate.stop(t)
		})
	}
}

// A ConfigMap and a Secret that change arrive in a Pod that runs, as the kubelet brings
// them; a document that is not valid changes nothing.
func TestChartChangesArrive(t *testing.T) {
	t.Parallel()
	serves(t, "--watch")
	r := render(t, chart, "--values", filepath.Join(chart, "ci", "daemonset.yaml"))
	box := newSandbox(t, r, r.workload())
	c := r.workload().gate(t)
	gate := box.start(t, c)
	gate.awaitReady(t)
	expect := func(what string, status int) {
		t.Helper()
		eventually(t, func() (bool, string) {
			got := gate.check(t, box, true)
			return got == status, what + ": " + strconv.Itoa(got)
		})
	}
	document := box.volumes["clerkgate-policy"]["clerkgate.yaml"]
	change := func(to string) {
		box.volumes["clerkgate-policy"]["clerkgate.yaml"] = to
		box.mount(t, c)
	}
	expect("at first", http.StatusUnauthorized)
	open := strings.Replace(document, "access: protected", "access: public", 1)
	change(open)
	expect("once it is open", 0)
	change(strings.Replace(document, "access:", "acces:", 1))
	eventually(t, func() (bool, string) {
		return strings.Contains(gate.log.String(), "stays in force"), gate.log.String()
	})
	expect("with a document that is not valid", 0)
	if answer := ask(t, gate.ready, nil); !strings.HasPrefix(answer, "200 ") {
		t.Errorf("it is not ready: %s", answer)
	}
	change(document)
	expect("with the first document", http.StatusUnauthorized)

	reloads := func() int { return strings.Count(gate.log.String(), `"msg":"reloaded"`) }
	before := reloads()
	box.volumes["clerkgate-secrets"]["jwt_key"] = newSandbox(t, r, r.workload()).secrets["jwt-key"]
	box.mount(t, c)
	eventually(t, func() (bool, string) { return reloads() > before, "a new key is not read" })
}

// serves skips the test where clerkgate serve has no such flag.
func serves(t *testing.T, flag string) {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), binary(t, "CLERKGATE_BIN", "clerkgate"), "serve", "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(help), flag+" ") {
		missing(t, "this clerkgate has no serve "+flag)
	}
}

// gate is a clerkgate that runs as a container would.
type gate struct {
	*process
	args  []string
	ready string // the readiness probe
	live  string
}

// start starts a container. Its ports become free ones of loopback, and it drains for a
// moment only.
func (s *sandbox) start(t *testing.T, c corev1.Container) *gate {
	t.Helper()
	addresses, args := map[int32]string{}, make([]string, len(c.Args))
	for _, port := range c.Ports {
		addresses[port.ContainerPort] = freeAddress(t)
	}
	for i, arg := range c.Args {
		if name, port, ok := strings.Cut(arg, "=:"); ok {
			number, err := strconv.ParseInt(port, 10, 32)
			if err != nil || addresses[int32(number)] == "" {
				t.Fatalf("%s names a port that the container does not", arg)
			}
			arg = name + "=" + addresses[int32(number)]
		}
		if strings.HasPrefix(arg, "--drain=") {
			arg = "--drain=100ms"
		}
		args[i] = s.inside(arg)
	}
	if flag(args, "forward-auth") != "" {
		serves(t, "--forward-auth")
	}
	at := func(probe *corev1.Probe) string {
		return "http://" + addresses[portOf(c, probe.HTTPGet.Port.StrVal)] + probe.HTTPGet.Path
	}
	return &gate{process: run(t, s.command(t, c, args)), args: args, ready: at(c.ReadinessProbe), live: at(c.LivenessProbe)}
}

// awaitReady waits until both probes succeed.
func (g *gate) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, func() (bool, string) {
		select {
		case <-g.exited:
			t.Fatalf("clerkgate %s ended", strings.Join(g.args, " "))
		default:
		}
		answer := ask(t, g.ready, nil)
		return strings.HasPrefix(answer, "200 ") && strings.HasPrefix(ask(t, g.live, nil), "200 "), answer
	})
}

// stop ends the gate as the kubelet does, and fails the test if it had to be killed.
func (g *gate) stop(t *testing.T) {
	t.Helper()
	if !g.terminate(stopLimit) || !g.cmd.ProcessState.Success() {
		t.Errorf("clerkgate ended so: %v", g.cmd.ProcessState)
	}
}

// check asks about a page that no rule opens, as Envoy does, and returns the status
// that it is to answer with; 0 if the gate does not talk to this client.
func (g *gate) check(t *testing.T, s *sandbox, known bool) int {
	t.Helper()
	transport := insecure.NewCredentials()
	if flag(g.args, "tls-cert") != "" {
		config := &tls.Config{RootCAs: s.ca, ServerName: "clerkgate.clerkgate.svc"}
		if known {
			config.Certificates = []tls.Certificate{s.client}
		}
		transport = credentials.NewTLS(config)
	}
	connection, err := grpc.NewClient(flag(g.args, "grpc"), grpc.WithTransportCredentials(transport), grpc.WithAuthority("clerkgate.clerkgate.svc"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), stopLimit)
	defer cancel()
	answer, err := authv3.NewAuthorizationClient(connection).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/dashboard", Protocol: "HTTP/1.1",
			Headers: map[string]string{":method": "GET", ":scheme": "https", ":authority": "app.example.com", ":path": "/dashboard", "x-forwarded-proto": "https"},
		}},
	}})
	if err != nil {
		if known {
			t.Errorf("a check: %v", err)
		}
		return 0
	}
	return int(answer.GetDeniedResponse().GetStatus().GetCode())
}

// forwardAuth asks about the same page in Envoy's dialect of forward auth, and returns
// the status; 0 if there is none, or the gate does not talk to this client.
func (g *gate) forwardAuth(t *testing.T, s *sandbox, known bool) int {
	t.Helper()
	address := flag(g.args, "forward-auth")
	if address == "" {
		return 0
	}
	network, scheme, config := "tcp", "http", &tls.Config{RootCAs: s.ca, ServerName: "clerkgate.clerkgate.svc"}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	if flag(g.args, "tls-cert") != "" {
		scheme = "https"
		if known {
			config.Certificates = []tls.Certificate{s.client}
		}
	}
	transport := &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://app.example.com/forward-auth/envoy/dashboard", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-Proto", "https")
	request.Header.Set("X-Forwarded-For", "192.0.2.1")
	response, err := transport.RoundTrip(request)
	if err != nil {
		if known {
			t.Errorf("forward auth: %v", err)
		}
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// startRedis starts a Redis that wants a password, and returns its URL.
func startRedis(t *testing.T, password string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "there is no Redis: put redis-server on the PATH")
	}
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--requirepass", password, "--save", "", "--dir", t.TempDir())
	run(t, cmd)
	return "redis://" + address
}
