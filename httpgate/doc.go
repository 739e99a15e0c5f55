// Package httpgate puts a policy in front of the handlers of a [net/http] server,
// for Go services that have no proxy in front, or do not leave it to one.
//
// A [Gate] wraps a handler. Requests that may pass reach it with the principal in
// their context ([PrincipalFrom]) and the identity in the configured headers; what
// clients may not send is removed in every spelling, trailers included. The others
// are answered as every clerkgate proxy answers them: by problem details, a page, a
// redirect to sign in, or a gRPC status.
//
// [Request], [Answer], [AddFields] and [Edit] are the steps of [Gate.Wrap], for
// handlers that need to come between them. The Caddy module and clerkgate's own
// pages are made of the same four.
package httpgate
