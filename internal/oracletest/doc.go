// Package oracletest asks real application servers whom they served. Node,
// Python, PHP, Ruby, nginx, Go and Caddy's own file server run behind a real
// Caddy and real Envoys, each with the same logical routes, and write down which
// handler ran, and which method, path, host and identity they believe they got,
// by their own router. Generated requests go through the gate, and what a server
// says it served must have been allowed to whoever asked, and whom it believes
// must be whom the gate said. It has tests only.
//
// What the test needs is installed by test.sh; testdata has the applications.
package oracletest
