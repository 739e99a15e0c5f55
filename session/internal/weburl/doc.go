// Package weburl reads and writes http and https URLs as browsers and Clerk's own
// library do, by the URL standard of the WHATWG, and says which of them belong to
// the site: its origins and their wildcards, and the addresses that a browser may
// be sent to. A library parses; what it makes of a URL is what the recorded decisions
// of Clerk's library show.
package weburl
