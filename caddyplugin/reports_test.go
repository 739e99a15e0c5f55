package caddyplugin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// The reports in testdata/reports are what people reported of other products, tried
// on this one: the lines of a site, ten dashes, and what comes of it. That is an
// error with a text, or for each request who asks for what, the status, and a text
// of the body or of Location. ROOT, PHP and APP are what is served; GATE opens a
// clerk_auth of this instance for its own origins, GATE_OF one without them.
func TestReportsOfOtherProducts(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{Live: true, Origins: []string{"https://app.example.com"}})
	app := echo(t)
	php, root := startPHP(t)
	headers := people(t, clerk)
	files, err := filepath.Glob("testdata/reports/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d reports, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, want, ok := strings.Cut(string(text), "\n----------\n")
			if !ok {
				t.Fatal("there are no dashes")
			}
			s := &site{t: t, admin: testprocess.Address(t), address: testprocess.Address(t)}
			gate := fmt.Sprintf("clerk_auth%%s {\npublishable_key %s\njwt_key %q", clerk.PublishableKey(), clerk.PublicKeyPEM())
			parties := "\nauthorized_parties https://app.example.com http://" + s.address
			lines = strings.NewReplacer("GATE_OF @notpublic", fmt.Sprintf(gate, " @notpublic")+parties, "GATE_OF", fmt.Sprintf(gate, ""), "GATE", fmt.Sprintf(gate, "")+parties, "ROOT", root, "PHP", php, "APP", app).Replace(lines)
			err = run(t, s.caddyfile(lines))
			if message, ok := strings.CutPrefix(strings.TrimSpace(want), "error "); ok {
				if err == nil || !strings.Contains(err.Error(), message) {
					t.Errorf("%v, want an error with %s", err, message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for request := range strings.Lines(want) {
				words := strings.SplitN(strings.TrimSpace(request), " ", 5)
				who, known := headers[words[0]]
				if len(words) < 4 || !known {
					t.Fatalf("%q is no request", request)
				}
				response, body := s.ask(words[1] + " " + words[2] + " HTTP/1.1\r\nHost: " + s.address + "\r\nConnection: close\r\nContent-Length: 0\r\n" + forged + who + "\r\n")
				body += response.Header.Get("Location")
				if fmt.Sprint(response.StatusCode) != words[3] || len(words) > 4 && !strings.Contains(body, words[4]) || strings.Contains(body, "forged") {
					t.Errorf("%s is answered %d %s", strings.TrimSpace(request), response.StatusCode, body)
				}
			}
		})
	}
}

// run adapts a Caddyfile and has Caddy run it for the rest of the test.
func run(t *testing.T, text string) error {
	t.Helper()
	config, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return caddy.Load(config, true)
}

// people are those who ask, by what they send.
func people(t *testing.T, clerk *clerktest.Instance) map[string]string {
	t.Helper()
	bearer := func(user string, claims map[string]any) string {
		session, err := clerk.SignIn(user)
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + clerk.Mint(session, clerktest.Token{Claims: claims}) + "\r\n"
	}
	return map[string]string{
		"nobody":    "",
		"browser":   "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
		"member":    bearer("user_max", nil),
		"admin":     bearer("user_ada", nil),
		"nameless":  bearer("user_ada", map[string]any{"azp": nil}),
		"stranger":  bearer("user_ada", map[string]any{"azp": "https://stranger.example"}),
		"extension": bearer("user_ada", map[string]any{"azp": "chrome-extension://abcdefghijklmnopabcdefghijklmnop"}),
		"editor":    bearer("user_max", map[string]any{"https://hasura.io/jwt/claims": map[string]any{"x-hasura-default-role": "editor"}}),
	}
}

// Tools that keep their state in the query have long ones.
func TestALongQueryPasses(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	s := startSite(t, gateLines(clerk, "", "public /open\n")+"reverse_proxy "+echo(t)+"\n")
	if response, body := s.get("/open?q="+strings.Repeat("a", 20_000), ""); response.StatusCode != 200 {
		t.Errorf("%d %.80s", response.StatusCode, body)
	}
}
