// Package machineid says whom a machine token speaks for, whether the token says so
// itself or Clerk says it of an opaque one: which ids and subjects tokens of a type may
// name, and the principal that becomes of them.
package machineid
