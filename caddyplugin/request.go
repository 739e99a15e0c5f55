package caddyplugin

import (
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// policyRequest returns the request as the next handler will forward it, with the
// client and the scheme as Caddy has them from its trusted_proxies.
func policyRequest(r *http.Request) *policy.Request {
	request := httpgate.Request(r)
	if request.OriginalTarget != "" || r.RequestURI == "" && !isVirtual(r) {
		// r.URL and r.RequestURI differ, which rewrites never cause: it is unknown which
		// of them will be served. The policy denies a request without a target.
		request.Target = ""
	}
	request.OriginalTarget = sentTarget(r)
	if opensWebSocket(r) {
		request.Method = http.MethodGet // as reverse_proxy forwards it
	}
	if proto := forwardedScheme(r); proto != "" {
		request.Scheme = proto
	}
	if isVirtual(r) { // its RemoteAddr is this host, while its fields are the client's
		request.Peer = netip.Addr{}
	} else {
		request.Client = client(r)
	}
	return request
}

// sentTarget returns the target before earlier handlers rewrote it, as the FastCGI
// transport writes it.
func sentTarget(r *http.Request) string {
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || sent.URL == nil {
		return ""
	}
	return sent.URL.RequestURI()
}

// isVirtual reports whether a request came over no connection, such as one of
// httpInclude in a template. All others have a RequestURI.
func isVirtual(r *http.Request) bool {
	if r.RequestURI != "" {
		return false
	}
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	return ok && sent.RequestURI == ""
}

// opensWebSocket reports whether reverse_proxy treats a request as an extended CONNECT
// for a WebSocket: over HTTP/2 (RFC 8441) and over HTTP/3 (RFC 9220).
func opensWebSocket(r *http.Request) bool {
	return r.Method == http.MethodConnect &&
		(r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket")
}

// forwardedScheme returns X-Forwarded-Proto of a proxy that the server trusts, or "".
func forwardedScheme(r *http.Request) string {
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if proto := r.Header["X-Forwarded-Proto"]; len(proto) == 1 && (proto[0] == "https" || proto[0] == "http") {
			return proto[0]
		}
	}
	return ""
}

// client returns the client's address, as Caddy has it from its trusted_proxies.
func client(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, _ := netip.ParseAddr(text)
	return addr
}
