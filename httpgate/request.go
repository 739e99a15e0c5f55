package httpgate

import (
	"net/http"
	"net/netip"
	"net/url"

	"github.com/clerkgate/clerkgate/policy"
)

// Request returns the facts of a request that a [net/http] server received, for
// [policy.Policy.Decide]. It parses and decides nothing.
//
// Target is what the handlers after this one go by, written out from r.URL, and
// Sent what came over the connection, where a handler in front has changed r.URL.
// A request whose r.RequestURI is no target has none; the policy refuses it. The
// address of the connection is the Peer. What proxies in front say of the client
// and the scheme is among the Headers, and counts where the policy trusts them.
func Request(r *http.Request) *policy.Request {
	target, sent := targets(r)
	return &policy.Request{
		Method:  r.Method,
		Version: r.ProtoMajor,
		Scheme:  scheme(r),
		Host:    r.Host,
		Target:  target,
		Sent:    sent,
		Headers: fields(r),
		Peer:    peer(r),
	}
}

// targets are the request target as the next handler sees it, and the one that
// came where that is another. The two are compared in the form that a URL writes:
// r.RequestURI may be in absolute form, and hold bytes that a URL escapes.
func targets(r *http.Request) (target, sent string) {
	target = r.URL.RequestURI()
	if target == r.RequestURI || r.RequestURI == "" { // a request that came over no connection
		return target, ""
	}
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return "", ""
	}
	if sent = u.RequestURI(); sent == target {
		return target, ""
	}
	return target, sent
}

// scheme is that of the connection.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// fields lists the header fields, and the announced trailers by name, so that
// the policy says which of those are ours as well. That a body of unknown length
// follows, net/http keeps elsewhere.
func fields(r *http.Request) []policy.Header {
	n := len(r.Trailer) + 1
	for _, values := range r.Header {
		n += len(values)
	}
	list := make([]policy.Header, 0, n)
	for name, values := range r.Header {
		for _, value := range values {
			list = append(list, policy.Header{Name: name, Value: value})
		}
	}
	if r.ContentLength < 0 {
		list = append(list, policy.Header{Name: "Transfer-Encoding", Value: "chunked"})
	}
	for name := range r.Trailer {
		list = append(list, policy.Header{Name: name})
	}
	return list
}

// peer is the address of the connection; invalid for a Unix socket.
func peer(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr()
}
