// Package clerktest is a Clerk instance that runs here: keys, people, browsers,
// sessions and tokens, with the Backend API, the Frontend API and the pages that
// the gate and its users meet. Tests, the demo and the examples use it in place
// of an account.
//
// Tests change the world by the methods of [Instance] (SetRole, Ban,
// RevokeSession), which tell the webhook before they return; break it (Break,
// BreakAll), and count what was asked of it (Calls).
//
// # How browsers reach it
//
// All of it shares one listener. A configuration reaches the Backend API by
// api_url: [Instance.URL]. Browsers reach the Frontend API in one of these ways:
//
//   - By Options.FrontendURL, which configurations name as proxy_url: that is
//     plain http, wherever the instance listens ([Itself]). No certificate is
//     needed, so no browser warns. With the instance at 127.0.0.1 and the app at
//     localhost the two are different sites, as a development instance and its
//     app are, and no name needs resolving. This is what the demo does.
//   - By its own name over https, as in production: Options.TLS, and a browser
//     that is told where the name is and to take the certificate.
//   - Not at all, by default: tokens name an issuer that need not resolve, and
//     the sign-in page sets the cookies of apps on its own host name.
//
// There is no password anywhere. Never expose it.
package clerktest
