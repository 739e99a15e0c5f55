package httpgate

import (
	"net/http"
	"net/netip"
	"net/url"

	"github.com/clerkgate/clerkgate/policy"
)

// Request converts a request that a [net/http] server received, for
// [policy.Policy.Decide]. It makes no decision.
//
// Target is what the next handlers use, from r.URL, and OriginalTarget is the target
// that the client sent, if a handler in front has changed r.URL. If r.RequestURI is malformed,
// Target is empty, and the policy denies the request. Peer is the address of the
// connection. The client and the scheme that proxies in front report are among the
// Headers; the policy uses them for its trusted proxies.
func Request(r *http.Request) *policy.Request {
	target, sent := targets(r)
	return &policy.Request{
		Method:         r.Method,
		Version:        r.ProtoMajor,
		Scheme:         scheme(r),
		Host:           r.Host,
		Target:         target,
		OriginalTarget: sent,
		Headers:        fields(r),
		Peer:           peer(r),
	}
}

// targets returns the request target as the next handler sees it, and the one that was
// sent if it is another. The two are compared in the encoding of [url.URL]:
// r.RequestURI may be in absolute form, and may have bytes that a URL escapes.
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

// scheme returns the scheme of the connection.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// fields returns the header fields, and the names of the announced trailers, so that
// the policy removes identity headers from those as well. net/http removes
// Transfer-Encoding from the header; it is added for a body of unknown length.
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

// peer returns the address of the connection; invalid for a Unix socket.
func peer(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr()
}
