package corpus

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// HTTPRequest is the request as a net/http server gets it: with the target that
// the client sent. Where net/http itself refuses a request that must be answered
// with 400, the test is skipped, and so it is where the proxy's routes name a rule.
func (c *Case) HTTPRequest(tb testing.TB) *http.Request {
	tb.Helper()
	if c.Request.RuleName != "" {
		tb.Skip("the routes of this host name no rules")
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.Request.Method, cmp.Or(c.Request.Sent, c.Request.Target), c.Request.Host)
	for _, h := range c.Request.Headers {
		fmt.Fprintf(&raw, "%s: %s\r\n", h.Name, h.Value)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String() + "\r\n")))
	switch {
	case err == nil:
	case c.Want.Status == http.StatusBadRequest:
		tb.Skipf("net/http refuses it: %v", err)
	default:
		tb.Fatalf("net/http refuses a request that the policy answers with %d: %v", c.Want.Status, err)
	}
	r.RemoteAddr = net.JoinHostPort(c.Request.Peer, "1234")
	r.ProtoMajor = c.Request.Version
	if c.Request.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

// Exchange is what became of a request at a host that answers HTTP.
type Exchange struct {
	Status  int
	Header  http.Header
	Body    string
	Outcome string
	Reason  string
	Rule    string
	Shadow  string
	// Upstream is the header that the next handler got; nil where it got nothing.
	Upstream http.Header
}

// CheckHTTP compares an exchange with what the case wants.
func (c *Case) CheckHTTP(tb testing.TB, x *Exchange) {
	tb.Helper()
	wantStatus := c.Want.Status
	if c.Want.GRPC != nil {
		wantStatus = http.StatusOK
		if got := x.Header.Get("Grpc-Status"); got != strconv.FormatUint(uint64(*c.Want.GRPC), 10) {
			tb.Errorf("gRPC status %q, want %d", got, *c.Want.GRPC)
		}
	}
	if x.Status != wantStatus {
		tb.Errorf("status %d, want %d", x.Status, wantStatus)
	}
	if passes := c.Want.Status == http.StatusOK; (x.Upstream != nil) != passes {
		tb.Errorf("the next handler was called: %t, want %t", x.Upstream != nil, passes)
	}
	for _, f := range [...]struct{ name, got, want string }{
		{"reason", x.Reason, string(c.Want.Reason)}, {"rule", x.Rule, c.Want.Rule},
		{"outcome", x.Outcome, c.Want.Outcome}, {"shadow", x.Shadow, string(c.Want.Shadow)},
	} {
		if f.got != f.want && (f.want != "" || f.name == "rule") {
			tb.Errorf("%s %q, want %q", f.name, f.got, f.want)
		}
	}
	for name, want := range c.Want.Upstream {
		compareField(tb, "upstream", name, x.Upstream.Values(name), want)
	}
	for name, want := range c.Want.Response {
		compareField(tb, "response", name, x.Header.Values(name), want)
	}
	for _, want := range c.Want.Body {
		if !strings.Contains(x.Body, want) {
			tb.Errorf("body %s\nlacks %s", x.Body, want)
		}
	}
}

func compareField(tb testing.TB, side, name string, got []string, want string) {
	tb.Helper()
	if want == "" && len(got) > 0 {
		tb.Errorf("%s %s is %q, want none", side, name, got)
	}
	if want != "" && (len(got) != 1 || got[0] != want) {
		tb.Errorf("%s %s is %q, want exactly %q", side, name, got, want)
	}
}
