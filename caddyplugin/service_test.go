package caddyplugin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// instanceLines are the keys of an instance, as a Caddyfile writes them.
func instanceLines(clerk *clerktest.Instance) string {
	return "publishable_key " + clerk.PublishableKey() + "\nsecret_key " + clerk.SecretKey() + "\napi_url " + clerk.URL() + "\n"
}

// A configuration that is only looked at calls neither Clerk nor Redis.
func TestValidatingCallsNobody(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	redis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	var dialed atomic.Int32
	go func() {
		for {
			conn, err := redis.Accept()
			if err != nil {
				return
			}
			dialed.Add(1)
			conn.Close()
		}
	}()
	s := &site{t: t, admin: "off", address: "127.0.0.1:0"}
	lines := "clerk_webhooks {\n webhook_secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n}\nclerk_sessions\nclerk_auth {\n" + instanceLines(clerk) + "redis redis://" + redis.Addr().String() + "\n}\nrespond ok\n"
	var config caddy.Config
	if err := json.Unmarshal([]byte(adapted(t, s.caddyfile(lines))), &config); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := caddy.Validate(&config); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("validating took %v", took)
	}
	if n, m := clerk.Calls("GET /v1/jwks"), dialed.Load(); n+int(m) != 0 {
		t.Errorf("%d calls to Clerk, %d to Redis", n, m)
	}
}

// A Caddyfile whose policy is in a document is another one once that is edited:
// Caddy leaves a configuration alone that is the same.
func TestAReloadSeesAnEditedDocument(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	file := filepath.Join(t.TempDir(), "gate.yaml")
	write := func(access string) {
		text := fmt.Sprintf("clerk: { publishable_key: %s, jwt_key: %q }\ndefault: { access: %s }\n", clerk.PublishableKey(), clerk.PublicKeyPEM(), access)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, lines := range []string{"clerk_auth " + file + "\nrespond ok\n", "clerk_auth {\n file " + file + "\n}\nrespond ok\n"} {
		write("public")
		s := startSite(t, lines)
		for access, want := range map[string]int{"deny": 403, "protected": 401} {
			write(access)
			s.reload(lines)
			if response, _ := s.get("/", ""); response.StatusCode != want {
				t.Errorf("%s: status %d, want %d", access, response.StatusCode, want)
			}
		}
	}
}

// Handlers of one site take the tokens of the same parties.
func TestHandlersOfOneSiteShareTheInstance(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	gate := "clerk_auth {\n" + instanceLines(clerk) + "authorized_parties https://app.example.com\n}\n"
	s := startSite(t, "clerk_sessions\n"+gate+"respond ok\n")
	for party, want := range map[string]int{"https://app.example.com": 200, "https://evil.example": 401} {
		token := clerk.Mint(session, clerktest.Token{Claims: map[string]any{"azp": party}})
		for _, path := range []string{"/", "/__clerkgate/sessions"} {
			if response, body := s.get(path, "Accept: application/json\r\nAuthorization: Bearer "+token+"\r\n"); response.StatusCode != want {
				t.Errorf("%s with a token for %s: %d %s, want %d", path, party, response.StatusCode, body, want)
			}
		}
	}
	// A host that is on no list is not sent anywhere with a way back to it.
	response, _ := s.get("/__clerkgate/sessions", "Accept: text/html\r\nSec-Fetch-Dest: document\r\nX: y\r\n")
	if location := response.Header.Get("Location"); strings.Contains(location, s.address) {
		t.Errorf("a redirect with a way back to %s: %s", s.address, location)
	}
}

func TestGatesThatDifferWantTheirNeighboursToChoose(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	s := &site{t: t, admin: "off", address: "127.0.0.1:0"}
	gate := func(party string) string {
		return "handle /" + party + "* {\nclerk_auth {\n" + instanceLines(clerk) + "authorized_parties https://" + party + ".example.com\n}\nrespond ok\n}\n"
	}
	for sessions, ok := range map[string]bool{"clerk_sessions": false, "clerk_sessions {\nauthorized_parties https://a.example.com\n}": true} {
		var config caddy.Config
		if err := json.Unmarshal([]byte(adapted(t, s.caddyfile(sessions+"\n"+gate("a")+gate("b")))), &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); (err == nil) != ok {
			t.Errorf("%s: %v", sessions, err)
		}
	}
}

// Behind a proxy that appends to X-Forwarded-For, clients choose no address.
func TestClientsDoNotChooseTheirAddress(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	address := testprocess.Address(t)
	load(t, "{\n admin off\n persist_config off\n auto_https off\n grace_period 1s\n log {\n  level PANIC\n }\n servers {\n  trusted_proxies static 127.0.0.0/8\n }\n}\nhttp://"+address+" {\nclerk_auth {\n"+instanceLines(clerk)+"limit chosen 3 per 1h by ip\nrule all {\npath /\naccess public\nlimits chosen\n}\n}\nrespond \"{http.clerk.client_ip} {client_ip}\"\n}\n")
	s := &site{t: t, address: address}
	passed := 0
	for i := range 8 {
		response, body := s.get("/", fmt.Sprintf("X-Forwarded-For: 1.2.3.%d, 9.9.9.9\r\n", i))
		if response.StatusCode == http.StatusOK {
			passed++
		}
		if response.StatusCode == http.StatusOK && body != "9.9.9.9 9.9.9.9" {
			t.Errorf("the client is %s", body)
		}
	}
	if passed != 3 {
		t.Errorf("%d passed a limit of 3", passed)
	}
}

// Upstreams find the keys of assertions where the documents say.
func TestTheKeysOfAssertionsAreServed(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	s := startSite(t, gateLines(clerk, "", "assertion {\naudience app\n}\n")+"respond ok\n")
	if response, body := s.get("/.well-known/clerkgate/jwks.json", ""); response.StatusCode != 200 || !strings.Contains(body, `"keys"`) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, _ := s.get("/.well-known/clerkgate/jwks.json/..%2f", ""); response.StatusCode == 200 {
		t.Error("another path is served as well")
	}
}

func TestMatcherSignedIn(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	s := startSite(t, "@member clerk signed_in\nroute {\n"+gateLines(clerk, "", "public /\n")+"redir @member /dashboard\nrespond welcome\n}\n")
	if _, body := s.get("/", ""); body != "welcome" {
		t.Errorf("nobody: %q", body)
	}
	response, _ := s.get("/", "Authorization: Bearer "+clerk.Mint(session, clerktest.Token{})+"\r\n")
	if response.Header.Get("Location") != "/dashboard" {
		t.Errorf("somebody: %d %v", response.StatusCode, response.Header)
	}
}
