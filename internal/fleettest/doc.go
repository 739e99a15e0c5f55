// Package fleettest proves that who is signed out is out, everywhere: two
// clerkgate nodes, each behind an Envoy, and a Caddy share a Redis, and a local
// Clerk tells one of them. All are real processes. It has tests only.
package fleettest
