package caddyplugin

import (
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// policyRequest is the request as the next handler will forward it, with what
// Caddy has established about its client.
func policyRequest(r *http.Request) *policy.Request {
	request := httpgate.Request(r)
	if request.Sent != "" || r.RequestURI == "" && !isVirtual(r) {
		// r.URL and r.RequestURI were changed apart from each other, which rewrites
		// never do: there is no telling what will be served. The policy refuses it.
		request.Target = ""
	}
	request.Sent = sentTarget(r)
	if opensWebSocket(r) {
		request.Method = http.MethodGet // which is what reverse_proxy makes of it
	}
	if proto := forwardedScheme(r); proto != "" {
		request.Scheme = proto
	}
	if isVirtual(r) { // it says that it is from this host, while its fields are the client's
		request.Peer = netip.Addr{}
	} else {
		request.Client = client(r)
	}
	return request
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
	if r.RequestURI != "" {
		return false
	}
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return ok && sent.RequestURI == ""
}

// opensWebSocket reports whether reverse_proxy takes an extended CONNECT for a
// WebSocket: over HTTP/2 (RFC 8441) and over HTTP/3 (RFC 9220).
func opensWebSocket(r *http.Request) bool {
	return r.Method == http.MethodConnect &&
		(r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket")
}

// forwardedScheme is what a proxy that the server trusts says of the scheme, or "".
func forwardedScheme(r *http.Request) string {
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if proto := r.Header["X-Forwarded-Proto"]; len(proto) == 1 && (proto[0] == "https" || proto[0] == "http") {
			return proto[0]
		}
	}
	return ""
}

// client is the address that Caddy has established from its trusted proxies.
func client(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, _ := netip.ParseAddr(text)
	return addr
}
