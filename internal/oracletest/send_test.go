package oracletest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// How long a client waits: for answers, for those to ordinary requests, and for
// what may follow the last.
const (
	patience  = 2 * time.Second
	unhurried = testprocess.Patience
	afterLast = 100 * time.Millisecond
)

// client sends requests to one server through one proxy, from an address of its
// own.
type client struct {
	checker  *checker
	edge     *edge
	upstream *upstream
	peer     string
}

// expect tells the checker of a request, before it is sent.
func (c *client) expect(r *request, protocol, text string) {
	c.checker.expect(&sent{
		id: r.id, edge: c.edge, upstream: c.upstream, caller: r.caller, peer: c.peer, preflight: r.isPreflight(c.edge, protocol), control: r.control,
		protocol: protocol, text: redact(text, r.caller),
	})
}

// patienceWith is how long to wait for the answers to these requests. Odd ones may
// never get one.
func patienceWith(requests []*request) time.Duration {
	if requests[0].control {
		return unhurried
	}
	return patience
}

// redact writes a token short, and everything on one line.
func redact(text string, c *caller) string {
	if c.token != "" {
		text = strings.ReplaceAll(text, c.token, "<token>")
	}
	return fmt.Sprintf("%q", text)
}

// answered judges a file in an answer. A server that is the proxy itself has no
// log of its own.
func (c *client) answered(r *request, body []byte) {
	if handler, slug := handlerInBody(body); c.upstream.log == "" && handler != "none" {
		c.checker.observe(c.upstream.name, record{
			Handler: handler, Slug: slug, Method: r.method, Path: r.target, Host: r.host, Headers: [][2]string{{idHeader, r.id}}, blind: true,
		})
	}
}

// dial connects, with or without TLS.
func (c *client) dial(overTLS bool, protocols ...string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: unhurried, LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.peer)}}
	ctx, cancel := context.WithTimeout(context.Background(), unhurried)
	defer cancel()
	if !overTLS {
		return dialer.DialContext(ctx, "tcp", c.edge.plain[c.upstream.name])
	}
	// The certificate is made for the run; it proves nothing here.
	tlsDialer := tls.Dialer{NetDialer: &dialer, Config: &tls.Config{InsecureSkipVerify: true, ServerName: "app.test", NextProtos: protocols}}
	return tlsDialer.DialContext(ctx, "tcp", c.edge.tls[c.upstream.name])
}

// encode writes a request as HTTP/1 does. last says that none follows.
func encode(r *request, last bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n%s: %s\r\n", r.method, r.target, r.version, r.host, idHeader, r.id)
	for _, field := range r.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
	}
	if last && !r.upgrade {
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case r.trailers != nil:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n", len(r.body), r.body)
		for _, field := range r.trailers {
			fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
		}
	case r.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
		return b.String()
	}
	return b.String() + "\r\n"
}

// smuggle puts a second request where one server may see it and another not. The
// generator's request is the outer one.
func (g *generator) smuggle(outer *request) (text string, inner *request) {
	inner = g.blank("GET", pick(g, "/admin", "/files/secret/plan.txt"))
	hidden := encode(inner, true)
	outer.body, outer.trailers, outer.method, outer.upgrade = "", nil, pick(g, "POST", "POST", "GET"), false
	head := strings.TrimSuffix(encode(outer, false), "\r\n")
	switch g.IntN(6) {
	case 0: // the length and the chunks contradict each other
		return fmt.Sprintf("%sContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", head, hidden), inner
	case 1:
		return fmt.Sprintf("%sTransfer-Encoding: %s\r\nContent-Length: %d\r\n\r\n0\r\n\r\n%s", head,
			pick(g, "xchunked", "chunked, identity", " chunked", "\tchunked", "identity", "CHUNKED", "chunked\r\nTransfer-Encoding: x"), len(hidden)+5, hidden), inner
	case 2: // two lengths
		return fmt.Sprintf("%sContent-Length: 0\r\nContent-Length: %d\r\n\r\n%s", head, len(hidden), hidden), inner
	case 3: // an honest body
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(hidden), hidden), inner
	case 4: // a length that is none
		return fmt.Sprintf("%sContent-Length: %s\r\n\r\n%s", head, pick(g, "+0", "0x0", "0 ", "-1", "00", "0,0", "\v0"), hidden), inner
	default: // a chunk with an extension, and a bare line feed
		return fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n1;%s\r\nx\r\n0\r\n\r\n%s", head, pick(g, "a=b", "\n", "x\n\r", "=\""), hidden), inner
	}
}

// overHTTP1 sends the requests on one connection, all at once, and looks at the
// answers.
func (c *client) overHTTP1(g *generator, requests []*request, overTLS bool) {
	protocol := "HTTP/1"
	if overTLS {
		protocol = "HTTP/1 over TLS"
	}
	var text strings.Builder
	expected := len(requests)
	for i, r := range requests {
		part := encode(r, i == len(requests)-1)
		if !r.control && len(requests) == 1 && g.chance(25) {
			var inner *request
			part, inner = g.smuggle(r)
			c.expect(inner, protocol, part)
			inner.caller = r.caller
			expected++
		}
		c.expect(r, protocol, part)
		text.WriteString(part)
	}
	conn, err := c.dial(overTLS, "http/1.1")
	if err != nil {
		return // too many connections at once; nothing was served
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patienceWith(requests)))
	if _, err := io.WriteString(conn, text.String()); err != nil {
		return
	}
	answers := bufio.NewReader(conn)
	for i := range expected {
		r := requests[min(i, len(requests)-1)]
		response, err := http.ReadResponse(answers, &http.Request{Method: strings.ToUpper(r.method)})
		if err != nil {
			return
		}
		if response.StatusCode == http.StatusSwitchingProtocols {
			c.inTunnel(g, conn, answers, r)
			return
		}
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20)) // what there is of it
		response.Body.Close()
		c.answered(r, body)
		if i+1 >= len(requests) {
			_ = conn.SetDeadline(time.Now().Add(afterLast))
		}
	}
}

// inTunnel asks for guarded pages on a connection that has changed protocol, as
// HTTP/2 and as HTTP/1.
func (c *client) inTunnel(g *generator, conn net.Conn, answers *bufio.Reader, outer *request) {
	_ = conn.SetDeadline(time.Now().Add(4 * afterLast))
	hidden := g.blank("GET", "/admin")
	hidden.fields = append(hidden.fields, [2]string{"X-User-Id", "user_forged"})
	if g.chance(3) {
		text := encode(hidden, true)
		c.expect(hidden, "HTTP/1 in a tunnel", text)
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, answers)
		return
	}
	session := newHTTP2(conn, answers)
	session.start()
	// Stream 1 is the request that asked for the upgrade.
	c.expect(hidden, "HTTP/2 in a tunnel that "+outer.id+" opened", "GET /admin")
	session.send(3, hidden)
	session.receive(map[uint32]*request{3: hidden}, func(*request, []byte) {})
}
