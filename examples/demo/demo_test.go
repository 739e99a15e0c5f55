package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/policy"
)

// The demo runs a Caddy, of which a process has one: no test here is parallel.

func TestTheRequestsOfTheREADMEComeOutAsItSays(t *testing.T) {
	ways := 2
	var missing []string
	for _, h := range homes {
		_, err := h.binary()
		switch {
		case err == nil:
			ways++
		case os.Getenv("CLERKGATE_FULL") == "1":
			t.Errorf("there is no %s (%v): set %s to the binary, or put %s on the PATH", h.name, err, h.variable, h.program)
		default:
			missing = append(missing, "there is no "+h.name+" here")
		}
	}
	var out strings.Builder
	err := run(t.Context(), &out, true, true)
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range missing {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say that %s", line)
		}
	}
	want := ways*len(requests) + (1+len(steps))*(ways-1) // and what browsers do, which take the ext_authz way never
	if lines := strings.Count(out.String(), "ok   "); lines != want {
		t.Errorf("%d requests came out right, want %d", lines, want)
	}
}

// A host may have no proxy, or one that is too old.
func TestTheDemoRunsWithoutProxies(t *testing.T) {
	onlyFailing(t, "nginx")
	var out strings.Builder
	if err := run(t.Context(), &out, true, true); err == nil || err.Error() != "1 of these came out wrong" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"FAIL nginx did not start: nginx has ended\n",
		"     there is no HAProxy here: put haproxy on the PATH (apt install haproxy",
		"     there is no Envoy here: put envoy on the PATH",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}

// onlyFailing makes a host that has one proxy, which ends at once.
func onlyFailing(t *testing.T, name string) {
	t.Helper()
	binary, err := exec.LookPath("false")
	if err != nil {
		testprocess.Missing(t, "there is no program that fails")
	}
	t.Setenv("PATH", t.TempDir())
	for _, h := range homes {
		if t.Setenv(h.variable, ""); h.name == name {
			t.Setenv(h.variable, binary)
		}
	}
}

func TestWhatIsShownComesOutAsItSays(t *testing.T) {
	onlyFailing(t, "HAProxy")
	s, err := start(true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out strings.Builder
	s.show(&out)
	for _, want := range []string{origin(s.ports.Caddy), s.clerk.SignInURL(), address(s.ports.Authz), address(s.ports.ForwardAuth),
		origin(s.ports.Caddy) + "/__clerkgate/sessions", "(no nginx)", "apt install nginx", "(HAProxy)", "did not start: HAProxy has ended", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	for _, try := range tries {
		if shown := fmt.Sprintf("# %d %s\n", try.status, try.what); !strings.Contains(out.String(), shown) {
			t.Errorf("lacks %q", shown)
		}
		r := request{target: try.target, token: try.token, times: try.times}
		ask := func(ctx context.Context, r *request, fields []policy.Header) (answer, error) {
			for _, field := range try.fields {
				name, value, _ := strings.Cut(field, ": ")
				fields = append(fields, policy.Header{Name: name, Value: value})
			}
			return through(origin(s.ports.Caddy))(ctx, r, fields)
		}
		got, err := s.repeat(t.Context(), way{ask: ask}, &r)
		if err != nil || got.status != try.status {
			t.Errorf("%d %s: got %d, %v", try.status, try.what, got.status, err)
		}
	}
}

// The page is served beside the gate: nothing that only begins like its path, or is
// there by one reading, reaches the app.
func TestNothingReachesTheAppBesideTheSessionPage(t *testing.T) {
	s, err := start(true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, w := range s.ways() {
		if w.app == "" {
			continue
		}
		for _, target := range []string{
			"/__clerkgate/../dashboard", "/__clerkgate/%2e%2e/dashboard", "/__clerkgate/sessions/../../dashboard", "/__clerkgate/..;/dashboard",
			"/dashboard/../__clerkgate/sessions/x", "//__clerkgate/sessions", "/__CLERKGATE/sessions", "/__clerkgate%2fsessions", "/__clerkgate", "/__clerkgate/",
			"/__clerkgate/sessionsx", "/__clerkgate/x?/../dashboard", "/__clerkgate\\..\\dashboard",
		} {
			status, contentType := raw(t, w.app, target)
			if status < 300 || contentType == appJSON {
				t.Errorf("%s, %s: %d, %s", w.name, target, status, contentType)
			}
		}
		if status, contentType := raw(t, w.app, "/__clerkgate/sessions/signed-out"); status != http.StatusOK || contentType != "application/json" {
			t.Errorf("%s: the page is not there: %d, %s", w.name, status, contentType)
		}
	}
}

// raw asks for a target as it is written.
func raw(t *testing.T, app, target string) (status int, contentType string) {
	t.Helper()
	host := strings.TrimPrefix(app, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nX-User-Id: user_ada\r\nConnection: close\r\n\r\n", target, host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header.Get("Content-Type")
}

func TestTheAppShowsPeopleWhoTheyAre(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/dashboard?x=%22%3E%3Cb%3E", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("X-User-Id", "user_ada")
	w := httptest.NewRecorder()
	upstream("http://127.0.0.1:5500").ServeHTTP(w, r)
	page := w.Body.String()
	for _, want := range []string{"X-User-Id", "user_ada", `href="/admin"`, "/user?redirect_url=http%3a%2f%2flocalhost%3a8080%2fdashboard"} {
		if !strings.Contains(page, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>") {
		t.Error("the address is on the page as it came")
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	if _, err = listenable(ports{Authz: taken}); err == nil || !strings.Contains(err.Error(), "for the ext_authz server, is taken") || !strings.Contains(err.Error(), "-free-ports") {
		t.Errorf("got %v", err)
	}
}

func TestTheDemoLeavesNothingBehind(t *testing.T) {
	temp, home := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("HOME", home)
	before := os.Environ()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, io.Discard, false, true); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{temp, home} {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}
	if after := os.Environ(); len(after) != len(before) {
		t.Errorf("%d variables became %d", len(before), len(after))
	}
}
