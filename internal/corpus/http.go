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
	"sync/atomic"
	"testing"
)

// mostLeftOut bounds how many cases, of a hundred, a host of HTTP may leave out.
const mostLeftOut = 10

// RunHTTP runs the corpus in dir by a host that speaks HTTP: serve makes the host of
// a case, which answers requests as net/http received them. Cases are left out that net/http answers
// itself, with the 400 that they want, and those in which the proxy's route names a
// rule; where that is more than a few of them, the test fails.
func RunHTTP(t *testing.T, dir string, serve func(*testing.T, *Case) func(*http.Request) *Exchange) {
	t.Helper()
	cases := Load(t, dir)
	var leftOut atomic.Int32
	t.Cleanup(func() { // once all cases have run
		if n := int(leftOut.Load()); n*100 > mostLeftOut*len(cases) {
			t.Errorf("%d of %d cases were left out", n, len(cases))
		}
	})
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Request.RuleName != "" {
				leftOut.Add(1)
				t.Skip("the routes of this host name no rules")
			}
			answer, x := serve(t, &c), (*Exchange)(nil)
			for range c.Times {
				r, err := c.httpRequest()
				if err != nil && c.Want.Status == http.StatusBadRequest {
					leftOut.Add(1)
					t.Skipf("net/http refuses it: %v", err)
				}
				if err != nil {
					t.Fatalf("net/http refuses a request that the policy answers with %d: %v", c.Want.Status, err)
				}
				x = answer(r)
			}
			if text := x.Header.Get("Grpc-Status"); c.Want.GRPC != nil {
				code, err := strconv.ParseUint(text, 10, 32)
				if err != nil || x.Status != http.StatusOK {
					t.Errorf("gRPC status %q with the status %d", text, x.Status)
				}
				x.GRPC, x.Status = new(uint32(code)), c.Want.Status // HTTP has no other for it
			}
			c.Check(t, x)
		})
	}
}

// httpRequest is the request as a net/http server gets it: with the target that the
// client sent.
func (c *Case) httpRequest() (*http.Request, error) {
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
	return r, nil
}
