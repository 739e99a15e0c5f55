package forwardauth

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// forwardedFor is the field of the addresses that a request came by, of which the last
// is the one that connected to the proxy.
const forwardedFor = "X-Forwarded-For"

// check is one request of a proxy, by which it asks about another.
type check struct {
	*http.Request
	dialect *dialect
	// asked is the request that it asks about.
	asked policy.Request
	// err is the first thing that is wrong with it.
	err error
	id  string
}

// source reads what the client asked for from a check.
type source interface {
	// read sets the method, scheme, host, target and peer of c.asked.
	read(c *check)
	// tells reports whether a field is one by which the proxy tells.
	tells(name string) bool
}

// read makes the request to decide about.
func (c *check) read() error {
	c.asked = *httpgate.Request(c.Request)
	// Of the check itself nothing counts but its fields.
	c.asked.Method, c.asked.Scheme, c.asked.Host, c.asked.Target, c.asked.OriginalTarget = "", "", "", "", ""
	c.asked.Version, c.asked.Peer = 0, netip.Addr{}
	c.dialect.request.read(c)
	c.dialect.limits(&c.asked)
	c.asked.Headers = slices.DeleteFunc(c.asked.Headers, func(h policy.Header) bool { return c.dialect.request.tells(h.Name) })
	return c.err
}

// one is the only value of a field. It fails if the field is missing, empty or repeated.
func (c *check) one(name string) string {
	switch values := c.Header[http.CanonicalHeaderKey(name)]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		c.fail("the check has no %s", name)
	case len(values) > 1:
		c.fail("the check has %d fields %s", len(values), name)
	default:
		return values[0]
	}
	return ""
}

// setScheme takes http and https. Some proxies name the protocol of a WebSocket.
func (c *check) setScheme(scheme string, webSockets bool) {
	if webSockets {
		scheme = strings.Replace(scheme, "ws", "http", 1)
	}
	if c.asked.Scheme = scheme; scheme != "http" && scheme != "https" {
		c.fail("the scheme %.32q is neither http nor https", scheme)
	}
}

// setPeer takes the address of the client of the proxy. Where none is told, all clients
// count as one.
func (c *check) setPeer(name, text string) {
	addr, ok := policy.ParseForwarded(strings.Trim(text, " \t"))
	if c.asked.Peer = addr; !ok {
		c.fail("%s ends with %.64q, which is no address", name, text)
	}
}

func (c *check) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// original is told of by X-Original-Method and the whole X-Original-URL, as nginx's
// examples and its ingress controller have it.
type original struct{}

func (original) read(c *check) {
	c.asked.Method = c.one("X-Original-Method")
	url := c.one("X-Original-URL")
	scheme, rest, _ := strings.Cut(url, "://")
	c.setScheme(scheme, false)
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		c.fail("X-Original-URL %.64q has no path", url)
		return
	}
	c.asked.Host, c.asked.Target = rest[:slash], rest[slash:]
	if len(c.Header["X-Real-Ip"]) > 0 {
		c.setPeer("X-Real-IP", c.one("X-Real-IP"))
	}
}

func (original) tells(name string) bool {
	return slices.Contains([]string{"X-Original-Method", "X-Original-Url", "X-Real-Ip"}, name)
}

// forwarded is told of by fields X-Forwarded.
type forwarded struct {
	// webSocketSchemes: the scheme may be ws or wss.
	webSocketSchemes bool
	// also are further fields that the proxy sets on each request, whatever the
	// client sent.
	also []string
}

func (f forwarded) read(c *check) {
	c.asked.Method = c.one("X-Forwarded-Method")
	c.setScheme(c.one("X-Forwarded-Proto"), f.webSocketSchemes)
	c.asked.Host = c.one("X-Forwarded-Host")
	c.asked.Target = c.one("X-Forwarded-Uri")
	c.readForwardedFor()
}

func (f forwarded) tells(name string) bool {
	return slices.Contains([]string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}, name) ||
		slices.Contains(f.also, name)
}

// readForwardedFor takes the last address that is told: that of the client of the proxy.
func (c *check) readForwardedFor() {
	if values := c.Header[forwardedFor]; len(values) > 0 {
		last := values[len(values)-1]
		c.setPeer(forwardedFor, last[strings.LastIndexByte(last, ',')+1:])
	}
}

// itself is a check that is the request it asks about, below a prefix of the path.
type itself struct{}

func (itself) read(c *check) {
	c.asked.Method, c.asked.Host = c.Request.Method, c.Request.Host
	c.setScheme(c.one("X-Forwarded-Proto"), false)
	if c.asked.Target = strings.TrimPrefix(c.RequestURI, envoyPrefix); !strings.HasPrefix(c.asked.Target, "/") {
		c.fail("the check is for no path below %s", envoyPrefix)
	}
	c.readForwardedFor()
}

func (itself) tells(name string) bool { return name == "X-Forwarded-Proto" }
