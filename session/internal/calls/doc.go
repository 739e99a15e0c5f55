// Package calls makes the calls to Clerk: it bounds how many are under way, by client and
// by kind, obeys Retry-After, and makes few while Clerk fails. What is called, and what a
// response means, is for the callers.
package calls
