// Package service runs a whole policy document inside a Go program: what the
// commands of clerkgate do, as a library.
//
// [Open] reads the document, and starts what it says: the policy, the keys of the
// Clerk instance, the counts of limits in memory or in Redis, what webhooks and
// other instances tell of ended sessions, and the session page, the Frontend API
// proxy, the receiver of webhooks and the keys of identity assertions.
// [Service.Reload] puts the document as it is now into force, as a whole or not at
// all, and [Service.Watch] does so whenever it changes. [Service.Readiness] says what is
// missing, and why.
//
// [Service.Wrap] protects the handlers of a [net/http] server. A Service is also
// what decides for the other adapters: give it to [extauthz.New] for a gRPC server
// that Envoy asks.
//
// Who composes policies in Go rather than in a document uses the packages policy,
// session, ratelimit, revocation and httpgate by themselves.
//
// [extauthz.New]: https://pkg.go.dev/github.com/clerkgate/clerkgate/extauthz#New
package service
