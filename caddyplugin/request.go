package caddyplugin

import (
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// policyRequest copies the facts of a request as the next handler will forward
// it.
func policyRequest(r *http.Request) *policy.Request {
	return &policy.Request{
		Method:  forwardedMethod(r),
		Version: r.ProtoMajor,
		Scheme:  scheme(r),
		Host:    r.Host,
		Target:  forwardedTarget(r),
		Sent:    sentTarget(r),
		Headers: fields(r),
		Peer:    peer(r),
		Client:  client(r),
	}
}

// forwardedTarget is the target as Caddy's handlers send it on: written out from
// r.URL. That is what the client sent, except where an earlier handler rewrote
// it, and where it held bytes that a URL cannot, which Go escapes. Only if
// somebody changed r.URL and r.RequestURI apart from each other is there no
// telling what will be served; the policy refuses the empty target.
func forwardedTarget(r *http.Request) string {
	target := r.URL.RequestURI()
	if target == r.RequestURI || isVirtual(r) {
		return target
	}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.RequestURI() == target {
		return target // absolute form, or escaped by Go
	}
	return ""
}

// sentTarget is the target before earlier handlers rewrote it, written out as the
// FastCGI transport does.
func sentTarget(r *http.Request) string {
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || sent.URL == nil {
		return ""
	}
	return sent.URL.RequestURI()
}

// isVirtual reports whether a request came over no connection, such as one for
// httpInclude in a template. A server gives all others their request line.
func isVirtual(r *http.Request) bool {
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return ok && sent.RequestURI == "" && r.RequestURI == ""
}

// forwardedMethod is GET for a WebSocket opened by extended CONNECT, since that is
// what reverse_proxy makes of it.
func forwardedMethod(r *http.Request) string {
	if opensWebSocket(r) {
		return http.MethodGet
	}
	return r.Method
}

// opensWebSocket reports whether reverse_proxy takes an extended CONNECT for a
// WebSocket: over HTTP/2 (RFC 8441) and over HTTP/3 (RFC 9220).
func opensWebSocket(r *http.Request) bool {
	return r.Method == http.MethodConnect &&
		(r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket")
}

// scheme is that of the connection, or what a proxy that the server trusts
// says.
func scheme(r *http.Request) string {
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if proto := r.Header["X-Forwarded-Proto"]; len(proto) == 1 && (proto[0] == "https" || proto[0] == "http") {
			return proto[0]
		}
	}
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

// peer is the address of the connection; invalid for a Unix socket, and for a
// virtual request, which says that it is from this host while its fields are the
// client's.
func peer(r *http.Request) netip.Addr {
	if isVirtual(r) {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr()
}

// client is the address that Caddy has established from its trusted proxies.
func client(r *http.Request) netip.Addr {
	if isVirtual(r) {
		return netip.Addr{}
	}
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, _ := netip.ParseAddr(text)
	return addr
}

// editRequest makes the policy's edits to what the next handler receives.
func editRequest(r *http.Request, d *policy.Decision) {
	editFields(r, d)
	if len(d.RemoveQuery) > 0 {
		r.URL.RawQuery = removeParameters(r.URL.RawQuery, d.RemoveQuery)
	}
}

// removeParameters drops parameters from a query and leaves the others as they
// are written.
func removeParameters(query string, names []string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, name)
	}), "&")
}

// editFields makes the policy's edits to the fields. Names compare without
// case, over the map's own keys: earlier handlers may have put in some that are
// not canonical.
func editFields(r *http.Request, d *policy.Decision) {
	edited := func(name string, _ []string) bool {
		same := func(other string) bool { return len(other) == len(name) && strings.EqualFold(other, name) }
		return slices.ContainsFunc(d.RemoveHeaders, same) ||
			slices.ContainsFunc(d.SetHeaders, func(h policy.Header) bool { return same(h.Name) })
	}
	maps.DeleteFunc(r.Header, edited)
	values := make([]string, len(d.SetHeaders))
	for i, field := range d.SetHeaders {
		values[i] = field.Value
		r.Header[field.Name] = values[i : i+1 : i+1]
	}
	if r.Trailer != nil {
		maps.DeleteFunc(r.Trailer, edited)
		r.Body = &announcedTrailers{ReadCloser: r.Body, trailer: r.Trailer, announced: maps.Clone(r.Trailer)}
	}
}

// announcedTrailers drops the trailers that were not announced, and so not
// judged. net/http puts all that come into the same map as the body ends.
type announcedTrailers struct {
	io.ReadCloser
	trailer, announced http.Header
}

// Read reads the body.
func (b *announcedTrailers) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		maps.DeleteFunc(b.trailer, func(name string, _ []string) bool {
			_, ok := b.announced[name]
			return !ok
		})
	}
	return n, err
}
