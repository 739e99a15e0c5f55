package caddyplugin

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

const webhookSecret = "whsec_Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTAx"

// deliver sends an event as Clerk does, and returns the status.
func (s *site) deliver(path, id, body string) int {
	s.t.Helper()
	header := clerktest.SignWebhook(webhookSecret, id, time.Now(), []byte(body))
	raw := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n", path, s.address, len(body))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		raw += name + ": " + header.Get(name) + "\r\n"
	}
	response, _ := s.send(raw + "\r\n" + body)
	return response.StatusCode
}

// metrics are what the admin endpoint shows.
func (s *site) metrics() string {
	s.t.Helper()
	response, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// counted is the value of one metric of Caddy's, -1 where there is none.
func (s *site) counted(name string) int {
	s.t.Helper()
	for line := range strings.Lines(s.metrics()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			value, err := strconv.Atoi(text)
			if err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	return -1
}

// Without Redis, a handler that judges had stores of its own unless it said the
// webhook secret too, and webhooks changed nothing for it.
func TestWebhooksCountForHandlersThatDoNotHaveTheSecret(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{Live: true})
	ada, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	instance := fmt.Sprintf("publishable_key %s\n secret_key %s\n api_url %s\n", clerk.PublishableKey(), clerk.SecretKey(), clerk.URL())
	lines := `	clerk_webhooks /hooks/a {
		webhook_secret ` + webhookSecret + `
	}
	clerk_webhooks /hooks/b {
		webhook_secret ` + webhookSecret + `
	}
	clerk_auth {
		` + instance + `
	}
	respond "upstream"
`
	s := startSite(t, lines)
	const (
		taken   = `clerkgate_webhooks_total{adapter="caddy",result="taken"}`
		revoked = `clerkgate_revocation_revoked_total{adapter="caddy"}`
		entries = `clerkgate_revocation_entries{adapter="caddy"}`
	)
	before := map[string]int{taken: s.counted(taken), revoked: s.counted(revoked)} // by other tests of this process
	cookie := "Cookie: __client_uat=1; __session=" + clerk.Mint(ada, clerktest.Token{}) + "\r\n"
	if response, body := s.get("/", cookie); response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
	ended := fmt.Sprintf(`{"object":"event","type":"session.revoked","timestamp":%d,"data":{"id":%q}}`, time.Now().UnixMilli(), ada.ID)
	for _, path := range []string{"/hooks/a", "/hooks/b"} {
		if status := s.deliver(path, "msg_1", ended); status != http.StatusNoContent {
			t.Errorf("%s: %d", path, status)
		}
	}
	if response, body := s.get("/", cookie); response.StatusCode == http.StatusOK {
		t.Errorf("the session goes on after it ended: %s", body)
	}
	want := func(when string, entriesNow int) {
		t.Helper()
		if got := s.counted(entries); got != entriesNow {
			t.Errorf("%s: %d entries, want %d", when, got, entriesNow)
		}
		if got := s.counted(taken) - before[taken]; got != 1 {
			t.Errorf("%s: taken %d times", when, got)
		}
		if got := s.counted(revoked) - before[revoked]; got != 1 {
			t.Errorf("%s: revoked %d times", when, got)
		}
	}
	want("a delivery to two handlers", 1)

	s.reload(lines + "\n# changed\n\theader X-Reloaded yes\n")
	if response, _ := s.get("/", cookie); response.StatusCode == http.StatusOK {
		t.Error("a reload lets the session go on")
	}
	if status := s.deliver("/hooks/a", "msg_1", ended); status != http.StatusNoContent {
		t.Errorf("again: %d", status)
	}
	want("the same delivery after a reload", 1)

	// Other settings mean other stores, which know nothing yet; counters go on.
	s.reload(strings.ReplaceAll(lines, "webhook_secret "+webhookSecret, "webhook_secret "+webhookSecret+"\n revocation {\n max_entries 1000\n }"))
	s.reload("\tclerk_auth {\n" + instance + "\n revocation {\n max_entries 1000\n }\n}\n")
	want("other stores", 0)
}

// Without Redis and webhooks nothing is known of sessions that ended, so tokens
// of any age count. As soon as a handler takes webhooks they do not.
func TestOldTokensCountUntilSomeHandlerTakesWebhooks(t *testing.T) {
	t.Parallel()
	revocation := `"revocation": {"max_token_lifetime": "61m"}` // stores of this test alone
	clerk := instanceJSON(t)
	judges, err := provisioned(t, `{"clerk": `+clerk+`, `+revocation+`}`)
	if err != nil {
		t.Fatal(err)
	}
	defer judges.Cleanup()
	stores, err := judges.leases.stores(contextOf(t), &judges.Config)
	if err != nil {
		t.Fatal(err)
	}
	old := as("org:admin").state.Principal
	old.IssuedAt = time.Now().Add(-2 * time.Hour)
	if reason := stores.Revocations.Revoked(old, time.Now()); reason != "" {
		t.Errorf("%s before there are webhooks", reason)
	}
	rejected, err := provisioned(t, `{"clerk": `+strings.Replace(clerk, "{", `{"webhook_secret": "`+webhookSecret+`", `, 1)+`, `+revocation+`, "mode": "watch"}`)
	if err == nil {
		t.Error("a wrong configuration is taken")
	}
	defer rejected.Cleanup()
	if reason := stores.Revocations.Revoked(old, time.Now()); reason != "" {
		t.Errorf("%s by a configuration that was rejected", reason)
	}
	takes := &Webhooks{App: App{Revocation: judges.Revocation}}
	takes.Clerk.WebhookSecret = webhookSecret
	if err := takes.Provision(contextOf(t)); err != nil {
		t.Fatal(err)
	}
	defer takes.Cleanup()
	if reason := stores.Revocations.Revoked(old, time.Now()); reason == "" {
		t.Error("what a webhook said may have been forgotten, and the token counts")
	}
}
