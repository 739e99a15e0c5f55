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

// request is one of those that the README shows.
type request struct {
	target  string
	who     string // in words, for the line
	token   func(s *stack) string
	browser bool // a page load
	// times is how often it is made; the last answer counts.
	times int
	want  int
	// identity is the user the upstream is told of.
	identity string
}

// requests are those of the README, in its order, and a few more.
var requests = []request{
	{target: "/", who: "nobody", want: 200},
	{target: "/dashboard", who: "Sol", token: of("user_sol"), want: 200, identity: "user_sol"},
	{target: "/dashboard", who: "nobody, in a browser", browser: true, want: 307},
	{target: "/dashboard", who: "nobody", want: 401},
	{target: "/admin", who: "Max, a member", token: of("user_max"), want: 403},
	{target: "/admin", who: "Ada, an admin", token: of("user_ada"), want: 200, identity: "user_ada"},
	{target: "/reports", who: "Max, a member", token: of("user_max"), want: 403},
	{target: "/reports", who: "Ada, an admin", token: of("user_ada"), want: 200, identity: "user_ada"},
	{target: "/billing", who: "Ada, verified lately", token: of("user_ada"), want: 200, identity: "user_ada"},
	{target: "/billing", who: "Ada, verified hours ago", token: stale("user_ada"), want: 403},
	{target: "/api/items", who: "one user, six times", token: somebody, times: 6, want: 429},
	{target: "/%2561dmin", who: "Ada, an admin", token: of("user_ada"), want: 400},
}

// answer is what came of a request, on any way.
type answer struct {
	status   int
	identity string
	location string
	// at is where the answer came from, after redirects.
	at string
}

// way is a way through the gate.
type way struct {
	name string
	ask  func(ctx context.Context, r *request, headers []policy.Header) (answer, error)
	// app is where a browser opens it; empty for a way that no browser takes.
	app string
}

func (s *stack) ways() []way {
	caddy := origin(s.ports.Caddy)
	ways := []way{{"Caddy", through(caddy), caddy}, {"ext_authz", s.askAuthz, ""}}
	for _, h := range s.homes {
		if h.err == nil {
			app := origin(h.port(&s.ports))
			ways = append(ways, way{h.name, through(app), app})
		}
	}
	return ways
}

// check makes the requests on every way there is, and prints a line for each.
func (s *stack) check(ctx context.Context, out io.Writer) error {
	failed := 0
	line := func(way, what, who string, want int, got answer, err error) {
		mark := "ok  "
		if err != nil {
			mark = "FAIL"
			failed++
		}
		fmt.Fprintf(out, "%s %-9s  %-14s as %-23s  want %d  got %d", mark, way, what, who, want, got.status)
		if got.identity != "" {
			fmt.Fprintf(out, "  the app sees %s", got.identity)
		}
		if err != nil {
			fmt.Fprintf(out, "  %v", err)
		}
		fmt.Fprintln(out)
	}
	for _, w := range s.ways() {
		for i := range requests {
			r := &requests[i]
			got, err := s.repeat(ctx, w, r)
			if err == nil {
				err = s.compare(r, got)
			}
			line(w.name, "GET "+r.target, r.who, r.want, got, err)
		}
		if w.app == "" {
			continue
		}
		b, got, err := signInAndBack(ctx, w.app+"/dashboard?tab=1", "user_ada")
		line(w.name, "sign in, back", "Ada, in a browser", http.StatusOK, got, err)
		for i := range steps {
			if err != nil {
				break // the next would fail for the same
			}
			got, err = steps[i].take(ctx, b, s)
			if err == nil && got.status != steps[i].want {
				err = errors.New("another status")
			}
			line(w.name, steps[i].what, "Ada, in a browser", steps[i].want, got, err)
		}
	}
	for _, h := range s.homes {
		switch {
		case h.missing():
			fmt.Fprintf(out, "     there is no %s here: put %s on the PATH (%s), or set %s\n", h.name, h.program, h.install, h.variable)
		case h.err != nil:
			failed++
			fmt.Fprintf(out, "FAIL %s did not start: %v\n", h.name, h.err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of these came out wrong", failed)
	}
	return nil
}

// compare says how an answer differs from the one that is wanted.
func (s *stack) compare(r *request, got answer) error {
	switch {
	case got.status != r.want:
		return errors.New("another status")
	case got.identity != r.identity:
		return fmt.Errorf("the app should see %q", r.identity)
	case r.want == http.StatusTemporaryRedirect && !strings.HasPrefix(got.location, s.clerk.FrontendURL()+"/v1/client/handshake?redirect_url="):
		return fmt.Errorf("sent to %q", got.location)
	}
	return nil
}

// limitRest is how soon the demo's limit lets one more request pass.
const limitRest = 2 * time.Second

// repeat makes the request as often as it says. Where that took so long that the
// limit let one more pass, it starts over, as another user.
func (s *stack) repeat(ctx context.Context, w way, r *request) (got answer, err error) {
	for range 3 {
		headers := s.headers(r)
		began := time.Now()
		for n := range max(1, r.times) {
			if n > 0 && got.status != http.StatusOK {
				return got, fmt.Errorf("already at number %d", n)
			}
			if got, err = w.ask(ctx, r, headers); err != nil {
				return got, err
			}
		}
		if r.times == 0 || time.Since(began) < limitRest {
			break
		}
	}
	return got, nil
}

// headers are those of a client that tries to be somebody else besides.
func (s *stack) headers(r *request) []policy.Header {
	headers := []policy.Header{{Name: "Accept", Value: "application/json"}, {Name: "X-User-Id", Value: "user_forged"}}
	if r.browser {
		headers[0].Value = "text/html"
	}
	if r.token != nil {
		headers = append(headers, policy.Header{Name: "Authorization", Value: "Bearer " + r.token(s)})
	}
	return headers
}

// through sends requests over HTTP.
func through(app string) func(context.Context, *request, []policy.Header) (answer, error) {
	client := &http.Client{Timeout: patience, CheckRedirect: stay}
	return func(ctx context.Context, r *request, headers []policy.Header) (answer, error) {
		return get(ctx, client, app+r.target, headers)
	}
}

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// get makes a request and reads the answer.
func get(ctx context.Context, client *http.Client, url string, headers []policy.Header) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		r.Header.Set(h.Name, h.Value)
	}
	return read(client.Do(r))
}

// maxBody bounds what is read of an answer.
const maxBody = 1 << 20

func read(response *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	got := answer{status: response.StatusCode, location: response.Header.Get("Location"), at: response.Request.URL.String()}
	if err == nil && response.Header.Get("Content-Type") == appJSON {
		got.identity, err = userOf(body)
	}
	return got, err
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
	return answer{status: a.Status, identity: a.Upstream["x-user-id"], location: a.Headers["location"]}, err
}
