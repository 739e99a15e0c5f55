// Package httpgate protects the handlers of a [net/http] server by a policy, for Go
// services without a proxy, or which do not rely on one.
//
// A [Gate] wraps a handler. Allowed requests reach it with the principal in their
// context ([PrincipalFrom]) and the identity in the configured headers; headers and
// trailers that clients may not send are removed in every spelling. Others are answered
// as by every clerkgate proxy: with problem details (RFC 9457), an HTML page, a redirect
// to sign in, or a gRPC status.
//
// [Request], [Answer], [AddFields] and [Edit] are the steps of [Gate.Wrap], for
// handlers that must do something between them. The Caddy module and clerkgate's own
// pages use the same four.
package httpgate
