package caddyplugin

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/corpus"
)

// TestCorpus holds the handler to the decisions that the policy makes by
// itself. The requests go through net/http's parser, which refuses some of the
// malformed ones before any handler sees them.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus.Load(t, "../policy/testdata/decisions") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Request.RuleName != "" {
				return // Caddy's routes do not name rules
			}
			h := handlerOf(c.Policy(t))
			var o outcome
			for range c.Times {
				r, err := readCase(&c)
				if err != nil {
					if c.Want.Status != http.StatusBadRequest {
						t.Fatalf("net/http refuses a request that the policy answers with %d: %v", c.Want.Status, err)
					}
					return
				}
				o = serve(h, r)
			}
			checkCase(t, &c, o)
		})
	}
}

// readCase is the case's request as the server gets it.
func readCase(c *corpus.Case) (*http.Request, error) {
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.Request.Method, cmp.Or(c.Request.Sent, c.Request.Target), c.Request.Host)
	for _, h := range c.Request.Headers {
		fmt.Fprintf(&raw, "%s: %s\r\n", h.Name, h.Value)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String() + "\r\n")))
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = net.JoinHostPort(c.Request.Peer, "1234")
	r.ProtoMajor = c.Request.Version
	if c.Request.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
	if c.Request.Sent != "" { // as the handler rewrite does
		r.RequestURI = c.Request.Target
		if r.URL, err = url.ParseRequestURI(c.Request.Target); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func checkCase(t *testing.T, c *corpus.Case, o outcome) {
	t.Helper()
	if o.err != nil {
		t.Errorf("error %v", o.err)
	}
	wantStatus := c.Want.Status
	if c.Want.GRPC != nil {
		wantStatus = http.StatusOK
		if got := o.Header().Get("Grpc-Status"); got != strconv.FormatUint(uint64(*c.Want.GRPC), 10) {
			t.Errorf("gRPC status %q, want %d", got, *c.Want.GRPC)
		}
	}
	if o.Code != wantStatus {
		t.Errorf("status %d, want %d", o.Code, wantStatus)
	}
	for name, want := range map[string]string{"reason": string(c.Want.Reason), "rule": c.Want.Rule, "outcome": c.Want.Outcome, "shadow": string(c.Want.Shadow)} {
		if got := o.placeholder("http.clerk." + name); got != want && (want != "" || name == "rule") {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	for name, want := range c.Want.Upstream {
		compareField(t, "upstream", name, o.upstream.Header.Values(name), want)
	}
	for name, want := range c.Want.Response {
		compareField(t, "response", name, o.Header().Values(name), want)
	}
	for _, want := range c.Want.Body {
		if body := o.Body.String(); !strings.Contains(body, want) {
			t.Errorf("body %s\nlacks %s", body, want)
		}
	}
}

func compareField(t *testing.T, side, name string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 {
		t.Errorf("%s %s is %q, want none", side, name, got)
	}
	if want != "" && (len(got) != 1 || got[0] != want) {
		t.Errorf("%s %s is %q, want exactly %q", side, name, got, want)
	}
}
