// Package revocation knows what ended before its tokens did: sessions, users,
// keys, and what tokens say of memberships and roles. Clerk's webhooks tell it,
// instances share it by Redis, and every request is checked against it in memory.
package revocation
