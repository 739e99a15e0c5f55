package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/leaktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// get is the body of what an address answers.
func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return leaktest.Said(t, r)
}

// No secret of the document and of no request is in what a server says that runs,
// at its most talkative: its log, its admin address, its answers, and what it says
// of documents that it does not take.
func TestNoSecretIsInWhatAServerSays(t *testing.T) {
	t.Parallel()
	const host = "app.example.com"
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{"http://" + host}, Templates: map[string]clerktest.Template{"own": {}}})
	password, machine, webhook, key := rand.Text(), "ak_"+rand.Text(), clerktest.NewWebhookSecret(), clerktest.SigningKey(t)
	redis := testredis.Start(t, "--requirepass", password)
	secrets := leaktest.Secrets{"the secret key": clerk.SecretKey(), "the machine secret key": machine, "the password of Redis": password, "the signing secret": webhook, "the assertion key": strings.Split(key, "\n")[1]}
	visits := secrets.Visits(t, clerk, webhook, revocation.Path)

	documentWith := func(more string) string {
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`clerk:
  publishable_key: %s
  secret_key: %s
  machine_secret_key: %s
  webhook_secret: %s
  api_url: %s
  proxy_url: http://%s/__clerk
  authorized_parties: [http://%[6]s]
redis: { url: "redis://:%s@%s" }
limits: { per-ip: { limit: 100000, window: 1m, key: ip } }
assertion: { key: %s }
upstream_token: { template: own, header: X-Own-Token }
rules:
  - { name: public, match: { path: /public }, access: public }
  - { name: admin, match: { path: /admin }, require: { role: org:admin } }
  - { name: api, match: { path: "/api/:path*" }, accept: any }
default: { limits: [per-ip] }
`, clerk.PublishableKey(), clerk.SecretKey(), machine, webhook, clerk.URL(), host, password, redis.Addr, quoted) + more
	}
	broken := []string{
		"mode: " + clerk.SecretKey(), "trusted_proxies: [" + machine + "]", "ignore_warnings: ['redis://:" + password + "@" + redis.Addr + "']", clerk.SecretKey() + ": x", "preflight: " + webhook, "identity_headers: { X-A: '" + webhook + "' }", "redis: ${NOTHING}", "? [",
	}
	path, grpc, admin, edge := filepath.Join(t.TempDir(), "clerkgate.yaml"), testprocess.Address(t), testprocess.Address(t), testprocess.Address(t)
	write(t, path, documentWith(""))
	cmd := exec.Command(os.Args[0], "serve", "--config", path, "--grpc", grpc, "--admin", admin, "--http", edge, "--frontend-api", clerk.URL(), "--log-level", "debug", "--drain", "1ms", "--watch", "0")
	cmd.Env = append(os.Environ(), asCommand+"=1")
	process := testprocess.Start(t, "clerkgate", cmd)
	process.AwaitListening(t, grpc, admin, edge)
	eventually(t, func() bool { return strings.TrimSpace(get(t, "http://"+admin+"/readyz")) == "ready" })

	said := map[string]string{}
	passes, handshakes := 0, 0
	for round := range 2 {
		for _, v := range visits {
			answer, err := extauthz.Ask(t.Context(), grpc, &policy.Request{Method: v.Method, Scheme: "http", Host: host, Target: v.Target, Headers: v.Headers, Peer: netip.MustParseAddr("192.0.2.1")})
			if err != nil {
				t.Fatal(err)
			}
			if answer.Allowed {
				passes++
			}
			_, location, body := v.Send(t, edge, host)
			if strings.Contains(fmt.Sprintf("%+v", answer)+location, "/v1/client/handshake?") {
				handshakes++
			}
			if !strings.Contains(v.Name, "to Clerk, by the proxy") { // which answers itself
				said[fmt.Sprintf("the answer %q, round %d", v.Name, round)] = body
			}
		}
		for i, line := range broken {
			write(t, path, documentWith(line+"\n"))
			seen := strings.Count(process.Log.String(), "stays in force")
			process.Signal(syscall.SIGHUP)
			eventually(t, func() bool { return strings.Count(process.Log.String(), "stays in force") > seen })
			said[fmt.Sprintf("readiness with %d, round %d", i, round)] = get(t, "http://"+admin+"/readyz?verbose")
		}
		write(t, path, documentWith(""))
		seen := strings.Count(process.Log.String(), `"reloaded"`)
		process.Signal(syscall.SIGHUP)
		eventually(t, func() bool { return strings.Count(process.Log.String(), `"reloaded"`) > seen })
		if round == 1 {
			eventually(t, func() bool { return strings.Contains(get(t, "http://"+admin+"/readyz?verbose"), "[!]redis warning: ") })
		}
		for _, at := range []string{"/metrics", "/buildinfo", "/readyz", "/readyz?verbose", "/healthz", "/", "/debug/pprof/cmdline"} {
			said[fmt.Sprintf("%s, round %d", at, round)] = get(t, "http://"+admin+at)
		}
		if round == 0 {
			redis.Stop(t) // which is logged
		}
	}
	said["the log"] = process.Log.String()
	for what, text := range said {
		if found := secrets.In(text); len(found) > 0 {
			t.Errorf("%s has %q: %.3000s", what, found, secrets.Line(text))
		}
	}
	for _, want := range []string{`"level":"DEBUG"`, `"/broken`, "handshake", "redis"} {
		if !strings.Contains(said["the log"], want) {
			t.Errorf("the log has nothing of %s, so not all of it happened", want)
		}
	}
	if text := said["readiness with 0, round 0"]; !strings.Contains(text, "[!]document warning: ") {
		t.Errorf("readiness is %q with a broken document", text)
	}
	if passes == 0 || handshakes == 0 || !strings.Contains(said["/metrics, round 0"], "clerkgate_decisions") {
		t.Errorf("%d passes, %d handshakes: not all of it happened", passes, handshakes)
	}
	// And it can fail.
	if found := secrets.In(said["the log"] + documentWith("")); len(found) < 5 {
		t.Errorf("found only %q in the document itself", found)
	}
}
