// Package policy decides whether a request may pass an edge proxy, and as whom.
//
// A [Policy] is compiled once from a [Config] and answers [Policy.Decide] for
// every request. Deciding takes these steps, in this order:
//
//  1. the canonical target: malformed and ambiguous ones are denied;
//  2. the rule: the first, in configuration order, that matches the request;
//  3. limits by address, before any cryptography;
//  4. authentication, where the rule needs it;
//  5. revocation;
//  6. the rule's requirement;
//  7. its freshness;
//  8. the limits by identity;
//  9. what the upstream receives in place of the user's credentials.
//
// What no rule opens is closed. Decide returns no error: every failure is a
// [Decision] that denies, with a [Reason] and a private cause for the log, and the
// zero Decision denies.
//
// The package knows no proxy and no network. It declares the interfaces it
// needs ([Authenticator], [Limiter], [Revocations], [Sessions], [Tokens],
// [Assertions]) and reads no clock but the one it is handed.
package policy
