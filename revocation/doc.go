// Package revocation knows which tokens are revoked before they expire: those of ended
// sessions, deleted or banned users and revoked keys, and those whose claims about
// memberships and roles are stale. Clerk's webhooks report these events, processes share
// them in Redis, and every request is checked against them in memory.
package revocation
