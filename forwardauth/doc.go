// Package forwardauth answers proxies that ask by a request of their own whether a
// request may pass: nginx's auth_request, HAProxy, Traefik's ForwardAuth, Caddy's
// forward_auth, and the HTTP mode of Envoy's ext_authz.
//
// A [Handler] serves one path for each dialect. The path that a proxy is configured to
// ask says which dialect it speaks; nothing is guessed from what a request has:
//
//	/forward-auth/nginx      X-Original-Method, X-Original-URL, X-Real-IP
//	/forward-auth/traefik    X-Forwarded-Method, -Proto, -Host, -Uri, -For
//	/forward-auth/haproxy    the same, and /forward-auth/haproxy/script
//	/forward-auth/caddy      the same
//	/forward-auth/envoy/...  the method, host and path of the check; X-Forwarded-Proto, -For
//
// A check that lacks one of these, repeats one, or has one that cannot be read, is
// refused, and so is every check of a peer that is not one of the operator's proxies.
//
// Most proxies remove no field that the answer does not name. An answer that allows a
// request therefore says of each header of the identity what the upstream receives, and
// a request with another header that clients may not send is refused unless the proxy
// has removed it before it asked. The folder examples/forward-auth has a configuration
// for each proxy.
package forwardauth
