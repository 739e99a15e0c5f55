// Package claim reads the JSON of tokens and of Clerk's answers, and the values in it that
// tokens of all kinds have in common: texts, ids, times and actors.
package claim
