package caddyplugin

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
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
	response, _ := s.ask(raw + "\r\n" + body)
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
	// stores are those of this run alone, and others of this run.
	stores := fmt.Sprintf("revocation {\n max_entries %d\n }", 1000+rand.IntN(9000))
	lines := `	clerk_webhooks /hooks/a {
		publishable_key ` + clerk.PublishableKey() + `
		webhook_secret ` + webhookSecret + `
		` + stores + `
	}
	clerk_webhooks /hooks/b {
		publishable_key ` + clerk.PublishableKey() + `
		webhook_secret ` + webhookSecret + `
		` + stores + `
	}
	clerk_auth {
		` + instance + `
		` + stores + `
	}
	respond "upstream"
`
	s := startSite(t, lines)
	const (
		taken   = `clerkgate_webhooks_total{adapter="caddy",result="taken"}`
		revoked = `clerkgate_revocation_revoked_total{adapter="caddy"}`
		entries = `clerkgate_revocation_entries{adapter="caddy"}`
	)
	before := map[string]int{taken: s.counted(taken), revoked: s.counted(revoked), entries: s.counted(entries)} // by other tests of this process
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
		if got := s.counted(entries) - before[entries]; got != entriesNow {
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

	// Other settings mean other stores, which know all the same; counters go on.
	others := strings.Replace(stores, "max_entries ", "max_entries 9", 1)
	s.reload(strings.ReplaceAll(lines, stores, others))
	s.reload("\tclerk_auth {\n" + instance + "\n" + others + "\n}\n")
	want("other stores", 1)
	if response, _ := s.get("/", cookie); response.StatusCode == http.StatusOK {
		t.Error("a reload with other settings lets the session go on")
	}
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
	stores := judges.gate.Stores
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
	takes := &Webhooks{Revocation: judges.Revocation}
	takes.Clerk.PublishableKey, takes.Clerk.WebhookSecret = judges.Clerk.PublishableKey, webhookSecret
	if err := takes.Provision(contextOf(t)); err != nil {
		t.Fatal(err)
	}
	defer takes.Cleanup()
	if reason := stores.Revocations.Revoked(old, time.Now()); reason == "" {
		t.Error("what a webhook said may have been forgotten, and the token counts")
	}
}

// What one instance says is nothing to the tokens of another, also where their ids
// are the same.
func TestWebhooksOfAnotherInstanceChangeNothing(t *testing.T) {
	a, b := clerktest.Start(t, clerktest.Options{Live: true, Host: "clerk.a.example"}), clerktest.Start(t, clerktest.Options{Live: true, Host: "clerk.b.example"})
	of := func(clerk *clerktest.Instance) string {
		return "publishable_key " + clerk.PublishableKey() + "\n webhook_secret " + webhookSecret + "\n jwt_key `" + clerk.PublicKeyPEM() + "`\n"
	}
	s := startSite(t, `	clerk_webhooks /hooks/a {
		`+of(a)+`
	}
	clerk_webhooks /hooks/b {
		`+of(b)+`
	}
	clerk_auth {
		`+of(b)+`
	}
	respond "hello"
`)
	bob, err := b.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	token := "Authorization: Bearer " + b.Mint(bob, clerktest.Token{}) + "\r\n"
	for i, what := range []string{`"role.updated","data":{"id":"role_1"}`, `"session.revoked","data":{"id":"` + bob.ID + `"}`, `"user.deleted","data":{"id":"user_ada"}`} {
		event := fmt.Sprintf(`{"timestamp":%d,"type":%s}`, time.Now().UnixMilli(), what)
		if status := s.deliver("/hooks/a", fmt.Sprint("msg_a", i), event); status != http.StatusNoContent {
			t.Errorf("%s: %d", event, status)
		}
		if response, body := s.get("/", token); response.StatusCode != http.StatusOK {
			t.Errorf("%s of another instance: %d %s", event, response.StatusCode, body)
		}
	}
	event := fmt.Sprintf(`{"timestamp":%d,"type":"session.revoked","data":{"id":%q}}`, time.Now().UnixMilli(), bob.ID)
	if status := s.deliver("/hooks/b", "msg_b", event); status != http.StatusNoContent {
		t.Errorf("%d", status)
	}
	if response, _ := s.get("/", token); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d after the session's own instance ended it", response.StatusCode)
	}
}

// It is not for us to guess whose webhooks they are.
func TestWebhooksOfNobodyAreRefused(t *testing.T) {
	h := &Webhooks{}
	h.Clerk.WebhookSecret = webhookSecret
	defer h.Cleanup()
	if err := h.Provision(contextOf(t)); err == nil || !strings.Contains(err.Error(), "publishable_key") {
		t.Errorf("%v", err)
	}
}
