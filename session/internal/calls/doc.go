// Package calls makes the calls to Clerk: it bounds how many are under way, for whom and
// for what, leaves Clerk alone for as long as it asks, and stops asking while it fails.
// What is asked, and what an answer means, is for those who call.
package calls
