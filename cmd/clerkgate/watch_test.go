package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/service"
)

// configMap is a folder as Kubernetes mounts a ConfigMap: its files are links into
// ..data, which is a link to the folder of a version, and is exchanged.
type configMap struct{ folder string }

// put mounts another version, and removes the one before.
func (c configMap) put(t *testing.T, files map[string]string) {
	t.Helper()
	data := filepath.Join(c.folder, "..data")
	old, _ := os.Readlink(data) // the first one has none
	version, err := os.MkdirTemp(c.folder, "..version")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(version, name), text)
	}
	if err := os.Symlink(filepath.Base(version), data+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data+"_tmp", data); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		link := filepath.Join(c.folder, name)
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := os.Symlink(filepath.Join("..data", name), link); err != nil {
			t.Fatal(err)
		}
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(c.folder, old)); err != nil {
			t.Fatal(err)
		}
	}
}

// readyz asks for the details of readiness, in a form.
func readyz(t *testing.T, admin, accept string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+"/readyz?verbose", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// allowed reports whether a request without a session passes.
func allowed(t *testing.T, grpc string) bool {
	t.Helper()
	answer, err := extauthz.Ask(t.Context(), grpc, &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Allowed
}

// A ConfigMap that changes is in force without a signal. A broken one changes nothing,
// and is in the details of readiness, the log and the metrics; once it is mended, in none
// of them.
func TestAConfigMapIsWatched(t *testing.T) {
	t.Parallel()
	clerk := clerktest.OfflineDocument(t)
	documentOf := func(access string) map[string]string {
		return map[string]string{"clerkgate.yaml": clerk + "redis: {addresses: '127.0.0.1:1', password_file: password}\ndefault: {access: " + access + "}\n", "password": "first"}
	}
	mount := configMap{t.TempDir()}
	mount.put(t, documentOf("deny"))
	grpc, admin := testprocess.Address(t), testprocess.Address(t)
	p := process(t, "serve", "--config", filepath.Join(mount.folder, "clerkgate.yaml"), "--grpc", grpc, "--admin", admin, "--drain", "1ms")
	p.AwaitListening(t, grpc, admin)
	if allowed(t, grpc) {
		t.Fatal("a request passes at first")
	}
	metric := func(name string) string {
		match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(get(t, "http://"+admin+"/metrics"))
		if match == nil {
			return ""
		}
		return match[1]
	}
	expectMetrics := func(inForce, taken, refused string) {
		t.Helper()
		for name, want := range map[string]string{
			`clerkgate_document_in_force{adapter="envoy"}`:                     inForce,
			`clerkgate_document_loads_total{adapter="envoy",result="taken"}`:   taken,
			`clerkgate_document_loads_total{adapter="envoy",result="refused"}`: refused,
		} {
			if got := metric(name); got != want {
				t.Errorf("%s is %q, want %s", name, got, want)
			}
		}
		if n := strings.Count(get(t, "http://"+admin+"/metrics"), "\nclerkgate_document_info{"); n != 1 {
			t.Errorf("%d documents are in force", n)
		}
	}
	expectMetrics("1", "1", "0")
	readsAs := func(want string) func() bool {
		return func() bool { _, text := readyz(t, admin, "*/*"); return strings.Contains(text, want) }
	}

	mount.put(t, documentOf("public"))
	eventually(t, func() bool { return allowed(t, grpc) })
	eventually(t, func() bool { return strings.Contains(p.Log.String(), `"msg":"reloaded"`) })
	expectMetrics("1", "2", "0")

	broken := documentOf("public")
	broken["clerkgate.yaml"] += "mode: shadw\n"
	mount.put(t, broken)
	eventually(t, readsAs("[!]document warning: not valid, and the one before stays in force: "+filepath.Join(mount.folder, "clerkgate.yaml")+":4:7: mode"))
	expectMetrics("0", "2", "1")
	if !allowed(t, grpc) {
		t.Error("the policy of before is not in force")
	}
	if log := p.Log.String(); strings.Count(log, "the new document is not valid; the old one stays in force") != 1 || !strings.Contains(log, ":4:7: mode") {
		t.Errorf("the log: %s", log)
	}

	mount.put(t, documentOf("public"))
	eventually(t, readsAs("[+]document ok: hash "))
	expectMetrics("1", "3", "1")

	rotated := documentOf("public")
	rotated["password"] = "second"
	mount.put(t, rotated)
	eventually(t, func() bool { return metric(`clerkgate_document_loads_total{adapter="envoy",result="taken"}`) == "4" })

	// The store that nobody starts is what is not ready, and the process is.
	status, text := readyz(t, admin, "application/json")
	var now service.Readiness
	if err := json.Unmarshal([]byte(text), &now); err != nil || status != http.StatusServiceUnavailable || now.Ready {
		t.Fatalf("%d, %s, %v", status, text, err)
	}
	if missing := now.NotReady(); len(missing) != 1 || missing[0].Name != "revocations" {
		t.Errorf("missing is %v", missing)
	}
	if want := `"ready":false,"missing":{"revocations":"`; !strings.Contains(p.Log.String(), want) {
		t.Errorf("the log lacks %s: %s", want, p.Log)
	}
}

// What a process is about to do is part of its readiness.
func TestReadinessTellsOfTheDrain(t *testing.T) {
	t.Parallel()
	grpc, admin := testprocess.Address(t), testprocess.Address(t)
	p := process(t, "serve", "--config", document(t, ""), "--grpc", grpc, "--admin", admin, "--drain", "1h")
	p.AwaitListening(t, grpc, admin)
	if status, text := readyz(t, admin, "*/*"); status != http.StatusOK || !strings.HasSuffix(text, "[+]serving ok\nready\n") {
		t.Errorf("%d, %s", status, text)
	}
	p.Signal(syscall.SIGTERM)
	eventually(t, func() bool {
		status, text := readyz(t, admin, "*/*")
		return status == http.StatusServiceUnavailable && strings.HasSuffix(text, "[-]serving not ready: draining, and about to stop\nnot ready\n")
	})
	p.Signal(syscall.SIGTERM) // at once
}
