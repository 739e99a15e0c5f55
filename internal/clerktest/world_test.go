package clerktest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hook is a webhook endpoint that verifies nothing and keeps what it is sent.
type hook struct {
	kinds   []string
	headers []http.Header
	bodies  [][]byte
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var e struct{ Type string }
	_ = json.Unmarshal(body, &e)
	h.kinds, h.headers, h.bodies = append(h.kinds, e.Type), append(h.headers, r.Header), append(h.bodies, body)
}

func TestWhatHappensIsToldBeforeTheCallReturns(t *testing.T) {
	t.Parallel()
	h := &hook{}
	server := httptest.NewServer(h)
	defer server.Close()
	secret := NewWebhookSecret()
	i := Start(t, Options{Webhook: Webhook{URL: server.URL, Secret: secret}})
	signIn := func(user string) string {
		s, err := i.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	for _, c := range []struct {
		name   string
		change func() error
		want   []string
	}{
		{"signing in", func() error { _, err := i.SignIn("user_sol"); return err }, []string{"session.created"}},
		{"signing out", func() error { i.EndSession(signIn("user_sol")); return nil }, []string{"session.created", "session.ended"}},
		{"leaving", func() error { i.RemoveSession(signIn("user_sol")); return nil }, []string{"session.created", "session.removed"}},
		{"revoking", func() error { i.RevokeSession(signIn("user_sol")); return nil }, []string{"session.created", "session.revoked"}},
		{"another role", func() error { return i.SetRole("user_ada", "acme", "org:member") }, []string{"organizationMembership.updated"}},
		{"no member", func() error { return i.RemoveMember("user_max", "org_acme") }, []string{"organizationMembership.deleted"}},
		{"no organization", func() error { return i.DeleteOrganization("bolt") }, []string{"organization.deleted"}},
		{"a ban", func() error { signIn("user_max"); return i.Ban("user_max") }, []string{"session.created", "user.updated", "session.revoked"}},
		{"no ban", func() error { return i.Unban("user_max") }, []string{"user.updated"}},
		{"nobody", func() error { return i.DeleteUser("user_max") }, []string{"user.deleted"}},
	} {
		h.kinds = nil
		if err := c.change(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, h.kinds); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for n, got := range h.headers {
		want := SignWebhook(secret, got.Get("svix-id"), unix(t, got.Get("svix-timestamp")), h.bodies[n])
		if got.Get("svix-signature") != want.Get("svix-signature") {
			t.Errorf("event %d is signed %q", n, got.Get("svix-signature"))
		}
	}
	if sent := i.Deliveries(); len(sent) != len(h.headers) || sent[0] != (Delivery{"session.created", http.StatusOK}) {
		t.Errorf("deliveries %v", sent)
	}
}

func unix(t *testing.T, text string) time.Time {
	t.Helper()
	var n int64
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0)
}

// The vector of the reference library's own helper.
func TestEventsAreSignedAsClerkSignsThem(t *testing.T) {
	t.Parallel()
	body := `{"data":{"id":"sess_1","object":"session","status":"revoked","user_id":"user_1"},"object":"event","type":"session.revoked","timestamp":1700000000000,"instance_id":"ins_1"}`
	h := SignWebhook("whsec_ZWRnZS1hdXRoei1kZW1vLXNlY3JldC0wMTIzNDU2Nzg5", "msg_demo1", time.Unix(1700000000, 0), []byte(body))
	if got := h.Get("svix-signature"); got != "v1,kRAfuNUUhXoQ40I5rcif+bm/99b69EBAdup36VGpOa8=" {
		t.Errorf("signed %q", got)
	}
}

func TestAnEndpointThatIsAwayStopsNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	i := Start(t, Options{Webhook: Webhook{URL: server.URL, Secret: NewWebhookSecret()}})
	if _, err := i.SignIn("user_ada"); err != nil {
		t.Error(err)
	}
	if sent := i.Deliveries(); len(sent) != 1 || sent[0].Status != 0 {
		t.Errorf("deliveries %v", sent)
	}
}

func TestTokensSayWhatSomebodyIsNow(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	s, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	if err := i.SetRole("user_ada", "acme", "org:auditor", "org:logs:read"); err != nil {
		t.Fatal(err)
	}
	if m := i.Session(s.ID).membership(); m.Role != "org:auditor" {
		t.Errorf("the session's role is %q", m.Role)
	}
	if m := s.membership(); m.Role != "org:admin" {
		t.Errorf("what was asked for before became %q", m.Role)
	}
	if _, organization := subject(t, i, i.Mint(s, Token{})); organization != "acme" {
		t.Errorf("in %q", organization)
	}
	if err := i.RemoveMember("user_ada", "acme"); err != nil {
		t.Fatal(err)
	}
	if _, organization := subject(t, i, i.Mint(s, Token{})); organization != "" {
		t.Errorf("still in %q", organization)
	}
}

func TestWhoIsBannedHasNoSessionAndGetsNone(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	s, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := backend(t, i, http.MethodPost, "/v1/users/user_ada/ban", ""); status != 200 || !strings.Contains(string(body), `"banned":true`) {
		t.Errorf("%d %s", status, body)
	}
	if got := i.Session(s.ID); got.Status != "revoked" {
		t.Errorf("the session is %s", got.Status)
	}
	if _, err := i.SignIn("user_ada"); err == nil {
		t.Error("signed in")
	}
}

func TestTheBackendListsAndRevokesSessions(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{Templates: map[string]Template{"x": {}}})
	var ids []string
	for range 3 {
		s, err := i.SignIn("user_sol")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	list := func(query string) (ids []string, total int) {
		status, body := backend(t, i, http.MethodGet, "/v1/sessions?paginated=true&"+query, "")
		var page struct {
			Data  []struct{ ID string }
			Total int `json:"total_count"`
		}
		if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		for _, s := range page.Data {
			ids = append(ids, s.ID)
		}
		return ids, page.Total
	}
	if status, body := backend(t, i, http.MethodPost, "/v1/sessions/"+ids[1]+"/revoke", "null"); status != 200 || !strings.Contains(string(body), `"status":"revoked"`) {
		t.Errorf("%d %s", status, body)
	}
	if got, total := list("user_id=user_sol&status=active"); total != 2 || !slices.Equal(got, []string{ids[2], ids[0]}) {
		t.Errorf("active are %v of %d", got, total)
	}
	if got, total := list("user_id=user_sol&limit=1&offset=2"); total != 3 || !slices.Equal(got, ids[:1]) {
		t.Errorf("the last page is %v of %d", got, total)
	}
	for path, want := range map[string]int{
		"/v1/sessions/" + ids[0] + "/tokens":      200,
		"/v1/sessions/" + ids[0] + "/tokens/x":    200,
		"/v1/sessions/" + ids[0] + "/tokens/none": 404,
		"/v1/sessions/" + ids[1] + "/tokens":      404,
		"/v1/sessions/sess_none/revoke":           404,
	} {
		if status, body := backend(t, i, http.MethodPost, path, "{}"); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := backend(t, i, http.MethodGet, "/v1/sessions", ""); status != http.StatusUnprocessableEntity {
		t.Errorf("everybody's sessions: %d", status)
	}
}

func TestMachineTokensAreVerifiedUntilTheyEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, flags := range []bool{false, true} {
		i := Start(t, Options{FlagRevoked: flags, Now: func() time.Time { return now }})
		m := Machine{Subject: "user_ada", Scopes: []string{"a:read"}, ExpiresAt: now.Add(time.Hour)}
		for _, kind := range []struct {
			path, parameter string
			make            func(Machine) string
		}{
			{"/api_keys/verify", "secret", i.CreateAPIKey},
			{"/m2m_tokens/verify", "token", i.CreateM2MToken},
			{"/oauth_applications/access_tokens/verify", "access_token", i.CreateOAuthToken},
		} {
			secret := kind.make(m)
			ask := func(prefix, secret string) (int, string) {
				status, body := backend(t, i, http.MethodPost, prefix+kind.path, `{"`+kind.parameter+`":"`+secret+`"}`)
				return status, string(body)
			}
			for _, prefix := range []string{"", "/v1"} {
				if status, body := ask(prefix, secret); status != 200 || !strings.Contains(body, `"subject":"user_ada"`) || !strings.Contains(body, `"revoked":false`) {
					t.Errorf("%s%s: %d %s", prefix, kind.path, status, body)
				}
			}
			if status, _ := ask("", secret+"x"); status != 404 {
				t.Errorf("%s, unknown: %d", kind.path, status)
			}
			i.RevokeMachineToken(secret)
			if status, body := ask("", secret); (status == 200) != flags || flags && !strings.Contains(body, `"revoked":true`) {
				t.Errorf("%s, revoked: %d %s", kind.path, status, body)
			}
		}
	}
}

func TestFaultsComeWhereTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	i := Start(t, Options{})
	keys := "GET /v1/jwks"
	for _, c := range []struct {
		name   string
		fault  Fault
		status int
		body   string
	}{
		{"a failure", Fault{Status: 500}, 500, "fault"},
		{"a limit", Fault{Status: 429, RetryAfter: 3}, 429, "fault"},
		{"garbage", Fault{Body: "<html>"}, 200, "<html>"},
		{"slow", Fault{Delay: time.Nanosecond}, 200, "keys"},
		{"once", Fault{Status: 503, Times: 1}, 503, "fault"},
	} {
		i.Break(keys, c.fault)
		if status, body := backend(t, i, http.MethodGet, "/v1/jwks", ""); status != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if status, _ := backend(t, i, http.MethodGet, "/v1/jwks", ""); status != 200 {
		t.Errorf("after the one time: %d", status)
	}
	i.BreakAll(Fault{Status: 502})
	if status, _ := backend(t, i, http.MethodGet, "/v1/users", ""); status != 502 {
		t.Errorf("all is down, and users are %d", status)
	}
	i.Mend()
	if status, _ := backend(t, i, http.MethodGet, "/v1/users", ""); status != 200 {
		t.Errorf("mended, and users are %d", status)
	}
}

func TestWhatHangsEndsWithTheCallerOrTheInstance(t *testing.T) {
	t.Parallel()
	i, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	i.Break("GET /.well-known/jwks.json", Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	ask := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/.well-known/jwks.json", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	gone := make(chan error)
	go func() { gone <- ask(ctx) }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller left: %v", err)
	}
	go func() { gone <- ask(t.Context()) }()
	i.Close()
	if err := <-gone; err == nil {
		t.Error("answered")
	}
}
