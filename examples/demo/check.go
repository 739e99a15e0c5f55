package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/policy"
)

// request is one of the README's.
type request struct {
	target  string
	user    string // a user's id, or nobody
	browser bool   // a page load
	// times is how often it is made; the last answer counts.
	times int
	want  int
	// identity is the user the upstream is told of.
	identity string
}

// requests are those of the README, in its order.
var requests = []request{
	{target: "/", want: 200},
	{target: "/dashboard", user: "user_sol", want: 200, identity: "user_sol"},
	{target: "/dashboard", browser: true, want: 307},
	{target: "/dashboard", want: 401},
	{target: "/admin", user: "user_max", want: 403},
	{target: "/admin", user: "user_ada", want: 200, identity: "user_ada"},
	{target: "/api/items", user: "user_max", times: 6, want: 429},
	{target: "/%2561dmin", user: "user_ada", want: 400},
}

// answer is what came of a request, on any way.
type answer struct {
	status   int
	identity string
	location string
}

// way is a way through the gate.
type way struct {
	name string
	ask  func(ctx context.Context, r *request, headers []policy.Header) (answer, error)
}

// check makes the requests on every way there is, a line each.
func (s *stack) check(ctx context.Context, out io.Writer) error {
	ways := []way{{"Caddy", s.through(s.ports.Caddy)}, {"ext_authz", s.askAuthz}}
	if s.envoy {
		ways = append(ways, way{"Envoy", s.through(s.ports.Envoy)})
	}
	failed := 0
	for _, w := range ways {
		for i := range requests {
			if !s.checkOne(ctx, out, w, &requests[i]) {
				failed++
			}
		}
		// What one way counted is not to limit the next.
		time.Sleep(limitRest)
	}
	if !s.envoy {
		fmt.Fprintln(out, "     no envoy on the PATH: not checked through Envoy")
	}
	if failed > 0 {
		return fmt.Errorf("%d requests came out wrong", failed)
	}
	return nil
}

// limitRest is after how long the demo's limit has room for a request again.
const limitRest = 2 * time.Second

// checkOne makes one request and prints what was expected and what came.
func (s *stack) checkOne(ctx context.Context, out io.Writer, w way, r *request) bool {
	got, err := s.repeat(ctx, w, r)
	ok := err == nil && got.status == r.want && (r.want != 200 || got.identity == r.identity) &&
		(r.want != 307 || strings.HasPrefix(got.location, s.clerk.SignInURL()+"?redirect_url="))
	mark, who := "ok  ", "nobody"
	if !ok {
		mark = "FAIL"
	}
	if r.user != "" {
		who = r.user
	}
	if r.browser {
		who += ", in a browser"
	}
	fmt.Fprintf(out, "%s %-9s GET %-11s as %-21s want %d  got %d", mark, w.name, r.target, who, r.want, got.status)
	if got.identity != "" {
		fmt.Fprintf(out, "  upstream sees %s", got.identity)
	}
	if err != nil {
		fmt.Fprintf(out, "  %v", err)
	}
	fmt.Fprintln(out)
	return ok
}

// repeat makes the request as often as it says.
func (s *stack) repeat(ctx context.Context, w way, r *request) (got answer, err error) {
	headers := []policy.Header{{Name: "Accept", Value: "application/json"}, {Name: "X-User-Id", Value: "user_forged"}}
	if r.browser {
		headers[0].Value = "text/html"
	}
	if r.user != "" {
		headers = append(headers, policy.Header{Name: "Authorization", Value: "Bearer " + s.token(r.user)})
	}
	for range max(1, r.times) {
		if got, err = w.ask(ctx, r, headers); err != nil {
			return got, err
		}
	}
	return got, nil
}

// through sends requests over HTTP.
func (s *stack) through(port int) func(context.Context, *request, []policy.Header) (answer, error) {
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, r *request, headers []policy.Header) (answer, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, origin(port)+r.target, nil)
		if err != nil {
			return answer{}, err
		}
		for _, h := range headers {
			q.Header.Set(h.Name, h.Value)
		}
		response, err := client.Do(q)
		if err != nil {
			return answer{}, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		got := answer{status: response.StatusCode, location: response.Header.Get("Location")}
		if response.StatusCode == http.StatusOK {
			got.identity, err = userOf(body)
		}
		return got, err
	}
}

// askAuthz asks the ext_authz server itself.
func (s *stack) askAuthz(ctx context.Context, r *request, headers []policy.Header) (answer, error) {
	a, err := extauthz.Ask(ctx, address(s.ports.Authz), &policy.Request{
		Method: http.MethodGet, Scheme: "http", Host: strings.TrimPrefix(origin(s.ports.Envoy), "http://"), Target: r.target,
		Headers: headers, Peer: netip.MustParseAddr("127.0.0.1"),
	})
	if err == nil && a.Allowed != (a.Status == http.StatusOK) {
		err = errors.New("the answer contradicts itself")
	}
	return answer{a.Status, a.Upstream["x-user-id"], a.Headers["location"]}, err
}
