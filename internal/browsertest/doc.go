// Package browsertest walks a real Chromium through the gate in a real Caddy and
// a real Envoy, with a local Clerk instance and, as the app, Clerk's own
// library: on every page that opens, gate and library must agree on who is there.
//
// CLERKGATE_CADDY, CLERKGATE_ENVOY and CLERKGATE_CHROMIUM name the programs;
// chromium and envoy are also looked for on the PATH. What is missing skips its
// tests, or fails them where CLERKGATE_FULL is 1.
package browsertest
