// Package extauthz is the Envoy home of the policy: the gRPC service
// envoy.service.auth.v3.Authorization. It translates and decides nothing: a
// CheckRequest becomes a [policy.Request], the [policy.Decision] becomes a
// CheckResponse.
//
// # What fails closed
//
// Envoy reads a response without a status, and any response whose status code
// is 0, as leave to pass. Responses are therefore built in one place only, which
// always sets the status, and an empty one is never sent. A gRPC error, a timeout
// or a crash of this server is not a refusal to Envoy but an error, which follows
// failure_mode_allow; so every failure in here becomes a built refusal: panics,
// bytes that are no check, checks that are not about HTTP, checks that show no
// headers, decisions that are late. What this
// server cannot see is failure_mode_allow itself: leave it false.
//
// # What is judged
//
// The path and query judged are those that Envoy has after its own
// normalization and before the rewrites of the route. The client is the peer of
// the connection to Envoy (source.address), from where the policy's
// trusted_proxies lead on. The gRPC metadata of the check describes Envoy, never
// the client, and is not read.
//
// # What it costs
//
// The two messages are read and written by hand, which takes less time than the
// generated types: see [NewGRPC], whose codec does. What is read is wanted in
// request.go; all else is checked and skipped. The generated types are what the
// tests hold both directions to.
package extauthz
