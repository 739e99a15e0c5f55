package caddyplugin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// site runs a Caddy in this process, which has one: these tests are not
// parallel.
type site struct {
	t              *testing.T
	admin, address string
}

// startSite runs Caddy with the given lines in its site block.
func startSite(t *testing.T, lines string) *site {
	t.Helper()
	s := &site{t: t, admin: testprocess.Address(t), address: testprocess.Address(t)}
	if err := caddy.Load([]byte(adapted(t, s.caddyfile(lines))), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) caddyfile(lines string) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	grace_period 1s
	log {
		level PANIC
	}
}
&(wanted) {
	rewrite * {vars.want}
	file_server
}
http://%s {
%s
}
`, s.admin, s.address, lines)
}

// reload sends a configuration to the admin API, as `caddy reload` does.
func (s *site) reload(lines string) {
	s.t.Helper()
	response, err := http.Post("http://"+s.admin+"/load", "text/caddyfile", strings.NewReader(s.caddyfile(lines)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("reload: status %d, %s, %v", response.StatusCode, body, err)
	}
}

// send writes raw bytes to the site and reads the answer.
func (s *site) send(raw string) (*http.Response, string) {
	s.t.Helper()
	response, body, err := s.exchange(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, body
}

// get asks for a target with some more header lines, and closes.
func (s *site) get(target, headers string) (*http.Response, string) {
	s.t.Helper()
	return s.ask("GET " + target + " HTTP/1.1\r\nHost: " + s.address + "\r\nConnection: close\r\n" + headers + "\r\n")
}

// ask sends what can be sent twice. A connection that a server took as it stopped
// ends without an answer: then, as any client does, it asks again.
func (s *site) ask(raw string) (*http.Response, string) {
	s.t.Helper()
	for range 5 {
		if response, body, err := s.exchange(raw); err == nil {
			return response, body
		}
	}
	return s.send(raw)
}

func (s *site) exchange(raw string) (*http.Response, string, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		return nil, "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// rawUpstream answers every request, and keeps the request line of the last.
type rawUpstream struct {
	net.Listener
	mu   sync.Mutex
	line string
}

func startRawUpstream(t *testing.T) *rawUpstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rawUpstream{Listener: l}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			u.serve(conn)
		}
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return u
}

func (u *rawUpstream) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	first, err := r.ReadString('\n')
	if err != nil {
		return
	}
	for line := first; len(line) > 2; {
		if line, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	u.mu.Lock()
	u.line = strings.TrimSpace(first)
	u.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") // the test sees whether it came
}

// take returns the last request line, once.
func (u *rawUpstream) take() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	line := u.line
	u.line = ""
	return line
}

// The bytes that reach the upstream are the bytes that were judged: those the
// client sent, with what a URL cannot hold escaped by Go before either.
func TestTheBytesForwardedAreTheBytesJudged(t *testing.T) {
	upstream := startRawUpstream(t)
	s := startSite(t, `	clerk_auth {
		publishable_key pk_test_Y2xlcmsubG9jYWxob3N0JA
		jwt_key "`+clerktest.Start(t, clerktest.Options{}).PublicKeyPEM()+`"
		deny /admin(.*)
		public /(.*)
	}
	uri /strip/* strip_prefix /strip
	rewrite /rewritten /admin/rewritten
	reverse_proxy `+upstream.Addr().String()+` {
		transport http {
			keepalive off
		}
	}
`)
	for _, c := range []struct {
		sent   string
		status int
		// forwarded is empty where nothing may be.
		forwarded string
	}{
		{"/", 200, "/"},
		{"/a?b=c", 200, "/a?b=c"},
		{"/a?", 200, "/a?"},
		{"/a??", 200, "/a??"},
		{"/a?b=%41;c=%zz&d=//", 200, "/a?b=%41;c=%zz&d=//"},
		{"/%41bc", 200, "/%41bc"},
		{"/%c3%A9", 200, "/%c3%A9"},
		{"/a;b=c/d", 200, "/a;b=c/d"},
		{"/a//b", 200, "/a//b"},
		{"/a|b", 200, "/a%7Cb"},
		{"/a|b%41", 200, "/a%7CbA"},
		{"/[a]", 200, "/[a]"},
		{"/a#b?/admin", 200, "/a%23b?/admin"},
		{"/admin", 403, ""},
		{"/admin?x", 403, ""},
		{"/admin;x", 403, ""},
		{"/admin%3Fx", 403, ""},
		{"/%61dmin", 403, ""},
		{"/%61%64%6D%69%6e|", 403, ""},
		{"//admin", 403, ""},
		{"/x/../admin", 400, ""},
		{"/x/%2e%2E/admin", 400, ""},
		{"/x/..%2fadmin", 400, ""},
		{"/x%5c..%5cadmin", 400, ""},
		{"/strip/admin", 403, ""},
		{"/strip/a%41", 200, "/a%41"},
		{"/rewritten", 403, ""},
		{"http://" + s.address + "/a%41?b", 200, "/a%41?b"},
		{"http://" + s.address + "/admin", 403, ""},
		{"http://" + s.address, 200, "/"},
		{"*", 400, ""},
	} {
		response, body := s.get(c.sent, "")
		line := upstream.take()
		want := ""
		if c.forwarded != "" {
			want = "GET " + c.forwarded + " HTTP/1.1"
		}
		if response.StatusCode != c.status || line != want {
			t.Errorf("%s: status %d, upstream %q; want %d, %q\n%s", c.sent, response.StatusCode, line, c.status, want, body)
		}
	}
}

func TestAReloadThroughTheAdminAPIKeepsCountsAndKeys(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	lines := `	clerk_auth {
		publishable_key ` + clerk.PublishableKey() + `
		secret_key ` + clerk.SecretKey() + `
		api_url ` + clerk.URL() + `
		limit reloaded 2 per 1h by ip
		rule counted {
			path /counted
			access public
			limits reloaded
		}
	}
	respond "hello {http.auth.user.id}" 200
`
	s := startSite(t, lines)
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	headers := "Authorization: Bearer " + clerk.Mint(session, clerktest.Token{}) + "\r\n"
	var statuses []int
	for range 2 {
		response, _ := s.get("/counted", headers)
		statuses = append(statuses, response.StatusCode)
	}
	s.reload(lines + `	header X-Version 2`)
	response, _ := s.get("/counted", headers)
	if diff := cmp.Diff([]int{200, 200, 429}, append(statuses, response.StatusCode)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if response.Header.Get("X-Version") != "2" {
		t.Error("the new configuration does not run")
	}
	if response, body := s.get("/", headers); body != "hello user_ada" {
		t.Errorf("signed in: status %d, body %q", response.StatusCode, body)
	}
	if n := clerk.Calls("GET /v1/jwks"); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
}

func TestHandleErrorsAnswersWhatItNames(t *testing.T) {
	s := startSite(t, `	clerk_auth {
		publishable_key pk_live_Y2xlcmsubG9jYWxob3N0JA
		jwt_key "`+clerktest.Start(t, clerktest.Options{}).PublicKeyPEM()+`"
		deny /closed
	}
	respond "hello"
	handle_errors 401 {
		respond "{http.error.status_code} {http.error.message} {http.clerk.reason} {http.clerk.rule}"
	}
`)
	response, body := s.get("/", "")
	if want := "401 Sign in to continue. session-token-and-uat-missing default"; response.StatusCode != 401 || body != want {
		t.Errorf("status %d, body %q; want 401, %q", response.StatusCode, body, want)
	}
	if got := response.Header.Values("Www-Authenticate"); len(got) != 1 {
		t.Errorf("WWW-Authenticate %q", got)
	}
	response, body = s.get("/closed", "")
	if response.StatusCode != 403 || !strings.Contains(body, `"reason":"rule-denies"`) {
		t.Errorf("status %d, body %q; want our own answer to 403", response.StatusCode, body)
	}
	response, body = s.get("/", "Accept: text/html\r\n")
	if response.StatusCode != 307 || body != "" {
		t.Errorf("status %d, body %q; want a redirect", response.StatusCode, body)
	}
}

func TestReverseProxySendsOurIdentityAndNoOther(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	var got *http.Request
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the test looks at the trailers
		got = r
		w.Header().Add("Set-Cookie", "upstream=1")
	}))
	defer upstream.Close()
	s := startSite(t, `	clerk_auth {
		publishable_key `+clerk.PublishableKey()+`
		jwt_key "`+clerk.PublicKeyPEM()+`"
	}
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+` {
		header_up X-Reason {http.clerk.reason}
		header_up X-Slug {http.clerk.claims.o.slg}
	}
`)
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "POST / HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", s.address, clerk.Mint(session, clerktest.Token{}))
	raw.WriteString("X-User-Id: forged\r\nX_User_Id: forged\r\nX.Org.Role: forged\r\nX-Auth-Type: forged\r\nx-org-permissions: forged\r\n")
	raw.WriteString("Transfer-Encoding: chunked\r\nTrailer: X-Sum, X-User-Id\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-User-Id: forged\r\nX-Org-Role: forged\r\n\r\n")
	if response, body := s.send(raw.String()); response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, body %q", response.StatusCode, body)
	}
	identity := http.Header{}
	for name, values := range got.Header {
		if strings.HasPrefix(name, "X") && !strings.HasPrefix(name, "X-Forwarded") {
			identity[name] = values
		}
	}
	want := http.Header{"X-User-Id": {"user_ada"}, "X-Session-Id": {session.ID}, "X-Org-Id": {"org_acme"}, "X-Org-Slug": {"acme"}, "X-Org-Role": {"org:admin"},
		"X-Auth-Type": {"session_token"}, "X-Reason": {"allowed"}, "X-Slug": {"acme"}}
	if permissions := got.Header["X-Org-Permissions"]; len(permissions) == 1 && permissions[0] != "forged" {
		want["X-Org-Permissions"] = permissions
	}
	if diff := cmp.Diff(want, identity); diff != "" {
		t.Errorf("identity fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"X-Sum": {"1"}}, got.Trailer); diff != "" {
		t.Errorf("trailers (-want +got):\n%s", diff)
	}
}
