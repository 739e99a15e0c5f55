package fleettest

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/revocation"
)

// tenant is one of several instances of Clerk behind the same Caddys. All of them
// have the same users, and their policies the same names.
type tenant struct {
	*clerktest.Instance
	secret string
	// sites are where each Caddy has the tenant's.
	sites  []string
	tokens map[string]string
}

const perTenant = 3

func newTenant(t *testing.T, host, secret string, caddys int) *tenant {
	t.Helper()
	n := &tenant{Instance: clerktest.Start(t, clerktest.Options{Live: true, Host: host, TokenLifetime: time.Hour}), secret: secret, tokens: map[string]string{}}
	for _, user := range []string{"user_ada", "user_max", "user_sol"} {
		session, err := n.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		n.tokens[user] = n.Mint(session, clerktest.Token{})
	}
	for range caddys {
		n.sites = append(n.sites, testprocess.Address(t))
	}
	return n
}

// site is the tenant's in one of the Caddys.
func (n *tenant) site(caddy int, redis string) string {
	text := fmt.Sprintf(`http://%s {
	clerk_webhooks {
		publishable_key %[2]s
		webhook_secret %[3]s
		redis redis://%[4]s {
			budget 10s # the machine may be slow
		}
	}
	clerk_auth {
		publishable_key %[2]s
		jwt_key %[5]q
		redis redis://%[4]s {
			budget 10s # the machine may be slow
		}
		limit few %[6]d per 24h by user {
			on_store_error deny
		}
		rule few {
			path /few
			limits few
		}
	}
	respond "{http.request.header.X-User-Id}"
}
`, n.sites[caddy], n.PublishableKey(), n.secret, redis, n.PublicKeyPEM(), perTenant)
	return strings.ReplaceAll(text, `\n`, "\n")
}

// ask asks the tenant's site in one of the Caddys as somebody with a token.
func (n *tenant) ask(t *testing.T, caddy int, path, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.sites[caddy]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return n.do(t, r)
}

// deliver sends a deletion of a user, signed by a secret, to the first Caddy.
func (n *tenant) deliver(t *testing.T, id, user, secret string) int {
	t.Helper()
	body := n.Event("user.deleted", map[string]any{"id": user, "deleted": true})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.sites[0]+revocation.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = clerktest.SignWebhook(secret, id, time.Now(), body)
	return n.do(t, r)
}

func (*tenant) do(t *testing.T, r *http.Request) int {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Two instances have a site each in the same two Caddys, over the same Redis: no
// token, count or event of one has an effect on the other.
func TestInstancesDoNotMeet(t *testing.T) {
	testprocess.CaddyBinary(t)
	const caddys = 2
	redis := testredis.Start(t)
	a := newTenant(t, "clerk.a.test", clerktest.NewWebhookSecret(), caddys)
	b := newTenant(t, "clerk.b.test", clerktest.NewWebhookSecret(), caddys)
	for i := range caddys {
		dir := t.TempDir()
		file := filepath.Join(dir, "Caddyfile")
		text := "{\nadmin off\npersist_config off\nauto_https off\nlog {\nlevel ERROR\n}\n}\n" + a.site(i, redis.Addr) + b.site(i, redis.Addr)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &caddy{address: a.sites[i], command: func() *exec.Cmd { return testprocess.Caddy(t, file, dir) }}
		c.start(t)
		c.AwaitListening(t, b.sites[i])
	}
	both := []struct{ one, other *tenant }{{a, b}, {b, a}}
	for i := range caddys {
		for _, n := range both {
			eventually(t, "a site that lets its people pass", func() bool { return n.one.ask(t, i, "/", n.one.tokens["user_ada"]) == http.StatusOK })
			if status := n.one.ask(t, i, "/", n.other.tokens["user_ada"]); status != http.StatusUnauthorized {
				t.Errorf("Caddy %d: a token of the other instance is answered %d", i, status)
			}
		}
	}

	// Counts: what one has used up the other has not.
	for _, n := range both {
		for k := range 2 * perTenant {
			want := http.StatusOK
			if k >= perTenant {
				want = http.StatusTooManyRequests
			}
			if status := n.one.ask(t, k%caddys, "/few", n.one.tokens["user_ada"]); status != want {
				t.Errorf("%s: request %d under a limit of %d is answered %d", n.one.PublishableKey(), k+1, perTenant, status)
			}
		}
	}

	// Events: of the same users, with the same ids of deliveries.
	for _, step := range []struct {
		n, other *tenant
		user     string
	}{{a, b, "user_ada"}, {b, a, "user_max"}} {
		if status := step.n.deliver(t, "msg_"+step.user, step.user, step.other.secret); status != http.StatusBadRequest {
			t.Errorf("a delivery that the other instance signed is answered %d", status)
		}
		if status := step.n.deliver(t, "msg_"+step.user, step.user, step.n.secret); status != http.StatusNoContent {
			t.Fatalf("a delivery is answered %d", status)
		}
		for i := range caddys {
			eventually(t, "the end of "+step.user, func() bool { return step.n.ask(t, i, "/", step.n.tokens[step.user]) == http.StatusUnauthorized })
		}
	}
	for i := range caddys {
		for user, here := range map[string]*tenant{"user_ada": b, "user_max": a} {
			if status := here.ask(t, i, "/", here.tokens[user]); status != http.StatusOK {
				t.Errorf("Caddy %d: %s of one instance is answered %d after the end of that of the other", i, user, status)
			}
		}
		for _, n := range both {
			if status := n.one.ask(t, i, "/", n.one.tokens["user_sol"]); status != http.StatusOK {
				t.Errorf("Caddy %d: whom no event names is answered %d", i, status)
			}
		}
	}
}
