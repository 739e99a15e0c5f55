package forwardauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/internal/testproxy"
	"github.com/clerkgate/clerkgate/service"
)

// checks are the pages, by the proxy that each is about.
var pages = map[string]string{
	"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy-forward-auth", "envoy": "envoy-http", "traefik": "traefik",
}

// line is a command of a page, and what must come of it.
var line = regexp.MustCompile(`(?m)^curl (.*?) +# ([0-9]{3})(?: and no (\S+) at the app)?$`)

// What the pages tell people to try comes out as they say, by the files that they show.
func TestPagesHold(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k")
	t.Setenv("CLERK_SECRET_KEY", "sk_live_example")
	gate, err := service.Open(filepath.Join(examples, "clerkgate.yaml"), service.Options{DecideOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	handler, err := forwardauth.New(gate, forwardauth.Options{Trusts: gate.Trusts, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	for kind, page := range pages {
		t.Run(kind, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "docs", "ingress", page+".md"))
			if err != nil {
				t.Fatal(err)
			}
			commands := line.FindAllStringSubmatch(string(text), -1)
			if len(commands) < 6 || len(commands) != strings.Count(string(text), "\ncurl ") {
				t.Fatalf("%d of %d commands can be read", len(commands), strings.Count(string(text), "\ncurl "))
			}
			checks := httptest.NewServer(handler)
			t.Cleanup(checks.Close)
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(r.Header)
			}))
			t.Cleanup(app.Close)
			proxy := testproxy.Start(t, kind, testproxy.Places(app.Listener, checks.Listener), nil)
			for _, command := range commands {
				try(t, curl, proxy, command[1], command[2], command[3])
			}
			if down := regexp.MustCompile(`With clerkgate stopped, every request is answered ([0-9]{3})\.`).FindStringSubmatch(string(text)); down == nil {
				t.Error("the page does not say what comes without clerkgate")
			} else {
				checks.Close()
				try(t, curl, proxy, "-i http://app.example.com/", down[1], "")
			}
		})
	}
}

// try runs a command of a page. Its arguments have no quotes but the single ones around
// a header.
func try(t *testing.T, curl, proxy, command, status, absent string) {
	t.Helper()
	args := []string{"--silent", "--show-error", "--max-time", "20", "--connect-to", "app.example.com:80:" + proxy}
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	out, err := exec.CommandContext(t.Context(), curl, args...).Output()
	if err != nil {
		t.Errorf("curl %s: %v", command, err)
		return
	}
	head, body, _ := strings.Cut(string(out), "\r\n\r\n")
	if !strings.Contains(head, " "+status+" ") && !strings.HasPrefix(head, "HTTP/1.1 "+status) {
		t.Errorf("curl %s: %s, want %s", command, strconv.Quote(head[:min(len(head), 60)]), status)
	}
	if absent == "" {
		return
	}
	var received http.Header
	if err := json.Unmarshal([]byte(body), &received); err != nil {
		t.Errorf("curl %s: the app's answer: %v", command, err)
	}
	for name := range received {
		if strings.EqualFold(name, absent) {
			t.Errorf("curl %s: the app received %s", command, name)
		}
	}
}
