package caddyplugin

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/leaktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
)

// secretive is a real Caddy whose every secret is known to the test.
type secretive struct {
	secrets        leaktest.Secrets
	clerk          *clerktest.Instance
	redis          *testredis.Server
	folder         string
	admin, address string
	webhookSecret  string
	env            []string
	upstream       string
	received       chan http.Header
}

func newSecretive(t *testing.T) *secretive {
	t.Helper()
	s := &secretive{secrets: leaktest.Secrets{}, folder: t.TempDir(), admin: testprocess.Address(t), address: testprocess.Address(t), webhookSecret: clerktest.NewWebhookSecret()}
	s.clerk = clerktest.Start(t, clerktest.Options{Origins: []string{"http://" + s.address}, Templates: map[string]clerktest.Template{"own": {}}})
	password := rand.Text()
	s.redis = testredis.Start(t, "--requirepass", password)
	s.received = make(chan http.Header, 1000)
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.received <- r.Header }))
	t.Cleanup(upstream.Close)
	s.upstream = strings.TrimPrefix(upstream.URL, "http://")
	machine := "ak_" + rand.Text()
	s.env = append(os.Environ(), "CANARY_SECRET_KEY="+s.clerk.SecretKey(), "CANARY_MACHINE_KEY="+machine, "CANARY_REDIS=redis://:"+password+"@"+s.redis.Addr, "CANARY_WEBHOOK="+s.webhookSecret,
		"HOME="+s.folder, "XDG_DATA_HOME="+s.folder, "XDG_CONFIG_HOME="+s.folder)
	for name, secret := range map[string]string{"the secret key": s.clerk.SecretKey(), "the machine secret key": machine, "the password of Redis": password, "the signing secret": s.webhookSecret, "the assertion key": s.assertionKey(t)} {
		s.secrets[name] = secret
	}
	return s
}

// assertionKey writes the key and returns what is secret in its file.
func (s *secretive) assertionKey(t *testing.T) string {
	t.Helper()
	text := clerktest.SigningKey(t)
	if err := os.WriteFile(filepath.Join(s.folder, "assertion.pem"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.Split(text, "\n")[1]
}

// caddyfile is as docs/caddy.md has it, with more lines for clerk_auth.
func (s *secretive) caddyfile(more string) string {
	filter := func(output string) string {
		return "output file " + filepath.Join(s.folder, output) + "\nformat filter {\nrequest>uri clerk\nrequest>headers>Referer clerk\n}\n"
	}
	return `{
	admin ` + s.admin + `
	persist_config off
	auto_https off
	grace_period 1s
	metrics
	log {
		` + filter("caddy.log") + `
	}
	log gate {
		output file ` + filepath.Join(s.folder, "gate.log") + `
		level DEBUG
		include clerk http.handlers.clerk_auth http.handlers.clerk_sessions http.handlers.clerk_webhooks http.handlers.clerk_frontend_api
	}
	clerk {
		redis {env.CANARY_REDIS}
	}
}
http://` + s.address + ` {
	log {
		` + filter("access.log") + `
	}
	clerk_webhooks {
		webhook_secret {env.CANARY_WEBHOOK}
	}
	clerk_sessions
	clerk_frontend_api {
		upstream ` + s.clerk.URL() + `
	}
	clerk_auth {
		publishable_key ` + s.clerk.PublishableKey() + `
		secret_key {env.CANARY_SECRET_KEY}
		machine_secret_key {env.CANARY_MACHINE_KEY}
		api_url ` + s.clerk.URL() + `
		proxy_url http://` + s.address + `/__clerk
		authorized_parties http://` + s.address + `
		limit per-ip 100000 per 1m by ip
		upstream_token own X-Own-Token
		assertion {
			key {file.` + filepath.Join(s.folder, "assertion.pem") + `}
		}
		public /public
		rule admin {
			path /admin
			role org:admin
		}
		rule api {
			path /api/:path*
			accept any
		}
		default protected limits per-ip
		` + more + `
	}
	@broken path /broken
	reverse_proxy @broken 127.0.0.1:1
	reverse_proxy ` + s.upstream + `
}
`
}

// addReceived adds the tokens that the upstream was given.
func (s *secretive) addReceived() {
	for len(s.received) > 0 {
		header := <-s.received
		for _, name := range []string{"X-Own-Token", "X-Clerkgate-Assertion"} {
			if token := header.Get(name); token != "" {
				s.secrets[name+" of the upstream"] = leaktest.Signature(token)
			}
		}
	}
}

// command runs a command of Caddy's to its end and returns all that it says.
func (s *secretive) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testprocess.CaddyBinary(t), args...)
	cmd.Env = s.env
	out, _ := cmd.CombinedOutput() // a refusal is said, too
	return string(out)
}

// shown is what Caddy's admin API shows at a path, or answers to a body there.
func (s *secretive) shown(t *testing.T, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Method = http.MethodPost
		r.Header.Set("Content-Type", "text/caddyfile")
	}
	r.Close = true // a load, also one that fails, replaces the admin server, with its connections
	return leaktest.Said(t, r)
}

// No secret of the configuration and of no request is in anything that a real Caddy
// says: its commands, its logs, its admin API, its metrics, its refusals.
func TestNoSecretIsInWhatCaddySays(t *testing.T) {
	s := newSecretive(t)
	file := filepath.Join(s.folder, "Caddyfile")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broken := []string{
		"secret_key sk_live_" + s.secrets["the secret key"], "ignore_warnings {env.CANARY_SECRET_KEY}", "mode {env.CANARY_REDIS}", "redis {env.CANARY_SECRET_KEY}", "webhook_secret {env.CANARY_REDIS}", "trusted_proxies {env.CANARY_MACHINE_KEY}",
		"jwt_key {file." + filepath.Join(s.folder, "assertion.pem") + "}", "sign_in_url {env.CANARY_REDIS}", "clock_skew {env.CANARY_WEBHOOK}", "audience {$CANARY_REDIS} {", "{$CANARY_WEBHOOK} x",
	}
	said := map[string]string{}
	for i, line := range broken {
		write(s.caddyfile(line))
		for _, command := range []string{"adapt", "validate"} {
			said[fmt.Sprintf("%s of broken line %d", command, i)] = s.command(t, command, "--config", file)
		}
	}
	good := s.caddyfile("")
	write(good)
	said["adapt"], said["validate"] = s.command(t, "adapt", "--config", file), s.command(t, "validate", "--config", file)
	if !strings.Contains(said["adapt"], "CANARY_SECRET_KEY") || !strings.Contains(said["validate"], "Valid configuration") {
		t.Fatalf("%s\n%s", said["adapt"], said["validate"])
	}

	cmd := testprocess.Caddy(t, file, s.folder)
	cmd.Env = s.env
	process := testprocess.Start(t, "caddy", cmd)
	process.AwaitListening(t, s.admin, s.address)
	visits := s.secrets.Visits(t, s.clerk, s.webhookSecret, "/webhooks/clerk")
	handshakes := 0
	for round := range 2 {
		statuses := map[int]int{}
		for _, v := range visits {
			status, location, body := v.Send(t, s.address, s.address)
			statuses[status]++
			if strings.Contains(location, "__session=") {
				handshakes++
			}
			said[fmt.Sprintf("the answer %q, round %d", v.Name, round)] = body
		}
		t.Logf("statuses: %v", statuses)
		for i, line := range broken {
			said[fmt.Sprintf("a load of broken line %d, round %d", i, round)] = s.shown(t, "/load", s.caddyfile(line))
		}
		write(good)
		said[fmt.Sprintf("a reload, round %d", round)] = s.command(t, "reload", "--config", file, "--force")
		if round == 0 {
			s.redis.Stop(t) // which is logged
		}
	}
	for _, path := range []string{"/config/", "/metrics", "/reverse_proxy/upstreams", "/debug/vars", "/debug/pprof/cmdline", "/nothing"} {
		said["the admin API at "+path] = s.shown(t, path, "")
	}
	said["the process"] = process.Log.String()
	for _, log := range []string{"caddy.log", "access.log", "gate.log"} {
		text, err := os.ReadFile(filepath.Join(s.folder, log))
		if err != nil || len(text) == 0 {
			t.Fatalf("%s is empty: %v", log, err)
		}
		said[log] = string(text)
	}
	s.addReceived()
	if s.secrets["X-Own-Token of the upstream"] == "" || s.secrets["X-Clerkgate-Assertion of the upstream"] == "" {
		t.Error("the upstream was given no tokens")
	}
	for what, text := range said {
		if found := s.secrets.In(text); len(found) > 0 && !strings.Contains(what, "to Clerk, by the proxy") { // which answers itself
			t.Errorf("%s has %q: %.2000s", what, found, s.secrets.Line(text))
		}
	}
	for what, want := range map[string]string{"access.log": "handshake?", "caddy.log": "/broken", "gate.log": "request denied", "the admin API at /metrics": "clerkgate_decisions", "the admin API at /config/": "CANARY_SECRET_KEY"} {
		if !strings.Contains(said[what], want) {
			t.Errorf("%s has nothing of %q, so not all of it happened: %.3000s", what, want, said[what])
		}
	}
	if handshakes == 0 {
		t.Error("nobody was sent to a handshake")
	}
}

// The test above can fail: without the filter that docs/caddy.md has for it, what
// clients ask for is in Caddy's log, and a key that is written out is in its
// configuration.
func TestASecretThatIsShownIsFound(t *testing.T) {
	s := newSecretive(t)
	file := filepath.Join(s.folder, "Caddyfile")
	text := strings.ReplaceAll(s.caddyfile(""), "request>uri clerk\n", "")
	text = strings.Replace(text, "{env.CANARY_SECRET_KEY}", s.clerk.SecretKey(), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := testprocess.Caddy(t, file, s.folder)
	cmd.Env = s.env
	process := testprocess.Start(t, "caddy", cmd)
	process.AwaitListening(t, s.admin, s.address)
	for _, v := range s.secrets.Visits(t, s.clerk, s.webhookSecret, "/webhooks/clerk") {
		v.Send(t, s.address, s.address)
	}
	log := readLog(t, filepath.Join(s.folder, "access.log"), 10)
	if found := s.secrets.In(log); !strings.Contains(strings.Join(found, ","), "a handshake's answer") {
		t.Errorf("found %q in an access log without the filter", found)
	}
	for what, said := range map[string]string{"adapt": s.command(t, "adapt", "--config", file), "the admin API": s.shown(t, "/config/", "")} {
		if found := s.secrets.In(said); len(found) != 1 || found[0] != "the secret key" {
			t.Errorf("found %q in %s", found, what)
		}
	}
}
