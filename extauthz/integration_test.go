package extauthz

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// integrationPolicy is what the tests with a real Envoy run.
func integrationPolicy(t *testing.T) *policy.Policy {
	renewed := signedIn("user_1")
	renewed.Headers = []policy.Header{{Name: "Set-Cookie", Value: "__session=a"}, {Name: "Set-Cookie", Value: "__client_uat=1"}}
	renewed.Forward = &policy.Forward{Cookie: "a=1; __session=a", RemoveQuery: []string{"__clerk_handshake"}}
	admin := signedIn("user_admin")
	admin.Principal.OrgRole = "org:admin"
	return newPolicy(t, policy.Config{Rules: []policy.Rule{
		{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public},
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
	}}, bearers{
		"member": signedIn("user_1"), "admin": admin, "renewed": renewed,
		"handshake": {Status: policy.Handshake, Reason: policy.ReasonSessionExpired, Headers: []policy.Header{
			{Name: "Location", Value: "https://clerk.example.com/v1/client/handshake"},
			{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}, {Name: "Set-Cookie", Value: "c=3"},
		}},
		"outage": {Status: policy.Unavailable},
	})
}

func TestEnvoyDoesWhatTheServerSays(t *testing.T) {
	t.Parallel()
	server := newServer(t, integrationPolicy(t), Options{Timeout: 10 * time.Second})
	tcp := listenTCP(t)
	serve(t, tcp, server, ServeOptions{})
	local := "unix:" + filepath.Join(t.TempDir(), "authz.sock")
	socketListener, err := Listen(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, socketListener, server, ServeOptions{Local: true})
	const raw, headers = "encode_raw_headers: true", ""
	p := startEnvoy(t, []edge{
		{Name: "raw", Authz: "tcp", Filter: raw}, {Name: "map", Authz: "tcp", Filter: headers}, {Name: "socket", Authz: "local", Filter: raw},
		{Name: "dead", Authz: "dead", Filter: raw, Timeout: "0.5s"},
	}, []cluster{
		{Name: "tcp", Addresses: []string{tcp.Addr().String()}}, {Name: "local", Addresses: []string{local}}, {Name: "dead", Addresses: []string{"127.0.0.1:1"}},
	})
	for _, edge := range []string{"raw", "map", "socket"} {
		for name, c := range map[string]struct {
			request  string
			status   int
			cookies  []string
			response map[string]string
			upstream map[string]string
			query    string
		}{
			"an identity takes the place of the client's": {
				request: "GET /x HTTP/1.1\nAuthorization: Bearer member\nX-User-Id: forged\nx_user_id: forged\nX.Org.Role: org:admin", status: 200, cookies: []string{"upstream=1"},
				upstream: map[string]string{"X-User-Id": "user_1", "X-Org-Role": "org:member", "X-Org-Permissions": "", "X_user_id": "", "X.org.role": ""},
			},
			"nobody is nobody": {
				request: "GET / HTTP/1.1\nX-User-Id: forged\nX-Middleware-Subrequest: a\nX-Original-Url: /admin", status: 200, cookies: []string{"upstream=1"},
				upstream: map[string]string{"X-User-Id": "", "X-Middleware-Subrequest": "", "X-Original-Url": ""},
			},
			"cookies join those of the upstream": {
				request: "GET /x HTTP/1.1\nAuthorization: Bearer renewed", status: 200, cookies: []string{"upstream=1", "__session=a", "__client_uat=1"},
			},
			"the upstream sees renewed credentials": {
				request: "GET /x?b=%32&__clerk_handshake=t&a=1&__clerk%5Fhandshake=u HTTP/1.1\nAuthorization: Bearer renewed\nCookie: a=1\nCookie: __session=old", status: 200,
				cookies: []string{"upstream=1", "__session=a", "__client_uat=1"}, upstream: map[string]string{"Cookie": "a=1; __session=a"}, query: "a=1&b=%32",
			},
			"a redirect carries all its cookies": {
				request: "GET /x HTTP/1.1\nAuthorization: Bearer handshake", status: 307, cookies: []string{"a=1", "b=2", "c=3"},
				response: map[string]string{"Location": "https://clerk.example.com/v1/client/handshake", "Cache-Control": "no-store"},
			},
			"a refusal is answered": {
				request: "GET /x HTTP/1.1\nAccept: application/json", status: 401, response: map[string]string{"Www-Authenticate": `Bearer realm="clerk"`, "Content-Type": "application/json"},
			},
			"an outage is 503 and no pass":  {request: "GET /x HTTP/1.1\nAuthorization: Bearer outage", status: 503},
			"a role is missing":             {request: "GET /admin HTTP/1.1\nAuthorization: Bearer member", status: 403},
			"a route names the rule":        {request: "GET /named/x HTTP/1.1\nAuthorization: Bearer member", status: 403},
			"dot segments with parameters":  {request: "GET /..;/admin HTTP/1.1", status: 400},
			"an encoded slash":              {request: "GET /a%2fb HTTP/1.1\nAuthorization: Bearer member", status: 400},
			"an encoded backslash":          {request: "GET /a%5cb HTTP/1.1\nAuthorization: Bearer member", status: 400},
			"slashes before a guarded path": {request: "GET //admin HTTP/1.1\nAuthorization: Bearer member", status: 403},
			"a Connection that names ours": {
				request: "GET /x HTTP/1.1\nAuthorization: Bearer member\nConnection: close, X-User-Id", status: 200, cookies: []string{"upstream=1"},
				upstream: map[string]string{"X-User-Id": "user_1"},
			},
			"a gRPC caller gets a status":    {request: "POST /x.Y/Z HTTP/1.1\nContent-Type: application/grpc\nContent-Length: 0", status: 200, response: map[string]string{"Grpc-Status": "16"}},
			"a gRPC caller without the role": {request: "POST /admin HTTP/1.1\nContent-Type: application/grpc\nContent-Length: 0\nAuthorization: Bearer member", status: 200, response: map[string]string{"Grpc-Status": "7"}},
		} {
			response := p.send(t, edge, c.request)
			taken := p.upstream.take()
			if response.StatusCode != c.status {
				t.Errorf("%s: %s: status %d, want %d", edge, name, response.StatusCode, c.status)
			}
			if reached := len(taken) > 0; reached != (c.cookies != nil && c.status == 200) {
				t.Errorf("%s: %s: reached the upstream: %v", edge, name, reached)
			}
			if got := response.Header.Values("Set-Cookie"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.cookies))) {
				t.Errorf("%s: %s: cookies %q, want %q", edge, name, got, c.cookies)
			}
			for header, want := range c.response {
				if got := response.Header.Get(header); got != want {
					t.Errorf("%s: %s: %s is %q, want %q", edge, name, header, got, want)
				}
			}
			if c.query != "" && len(taken) == 1 && sortedQuery(taken[0].URL.RawQuery) != c.query {
				t.Errorf("%s: %s: the upstream saw %q, want %q", edge, name, taken[0].URL.RawQuery, c.query)
			}
			for header, want := range c.upstream {
				if len(taken) == 1 && strings.Join(taken[0].Header[header], ",") != want {
					t.Errorf("%s: %s: the upstream saw %s %q, want %q", edge, name, header, taken[0].Header[header], want)
				}
			}
		}
	}
	if response := p.send(t, "dead", "GET / HTTP/1.1"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("with no server to ask: %d", response.StatusCode)
	}
	if line := p.AccessLog(t, `"reason":"role-missing"`); !strings.Contains(line, `"rule":"admin"`) || !strings.Contains(line, "decision_id") {
		t.Errorf("access log: %s", line)
	}
}

// sortedQuery is a query in the order of its parameters, which Envoy may change.
func sortedQuery(query string) string {
	pairs := strings.Split(query, "&")
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// A server that drains costs no request an error: another one answers.
func TestEnvoyMovesOnWhenAServerDrains(t *testing.T) {
	t.Parallel()
	server := newServer(t, integrationPolicy(t), Options{Timeout: 10 * time.Second})
	first, second := listenTCP(t), listenTCP(t)
	g, h := NewGRPC(server, ServeOptions{})
	Ready(h, true)
	done := make(chan error, 1)
	go func() { done <- g.Serve(first) }()
	serve(t, second, server, ServeOptions{})
	p := startEnvoy(t, []edge{{Name: "both", Authz: "both", Filter: "encode_raw_headers: true"}}, []cluster{{
		Name: "both", Addresses: []string{first.Addr().String(), second.Addr().String()},
		Extra: "health_checks: [ { timeout: 1s, interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 1, healthy_threshold: 1, grpc_health_check: { service_name: envoy.service.auth.v3.Authorization } } ]",
	}})
	ask := func() int { return p.send(t, "both", "GET / HTTP/1.1").StatusCode }
	for range 20 {
		if status := ask(); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		Shutdown(context.Background(), g, h, time.Second)
	}()
	for running := true; running; {
		select {
		case <-stopped:
			running = false
		default:
		}
		if status := ask(); status != http.StatusOK {
			t.Errorf("while draining: %d", status)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range 20 {
		if status := ask(); status != http.StatusOK {
			t.Errorf("afterwards: %d", status)
		}
	}
}
