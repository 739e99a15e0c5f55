// Package compat lists the points on which Clerk's own library, the reference, is more
// lenient than we are, and reads values as JavaScript does, in which it is written.
//
// Whoever decides by one of these points takes [Relaxations] and asks for the point by
// its name, so that a search for the name finds all that hangs on it.
package compat
