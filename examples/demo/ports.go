package main

import (
	"fmt"
	"net"
	"strconv"
)

// ports are where the pieces listen, on this host.
type ports struct{ Caddy, Envoy, Nginx, HAProxy, Authz, ForwardAuth, Pages, Clerk, Upstream int }

// usual are the ports that are easy to remember.
var usual = ports{Caddy: 8080, Envoy: 8081, Nginx: 8082, HAProxy: 8083, Authz: 9000, ForwardAuth: 9001, Pages: 9080, Clerk: 5500, Upstream: 3000}

// listenable sees that all ports can be listened on before anything starts. A
// port 0 is replaced by one that is free.
func listenable(p ports) (ports, error) {
	for _, port := range []struct {
		number *int
		whose  string
	}{
		{&p.Caddy, "Caddy"}, {&p.Envoy, "Envoy"}, {&p.Nginx, "nginx"}, {&p.HAProxy, "HAProxy"},
		{&p.Authz, "the ext_authz server"}, {&p.ForwardAuth, "forward auth"}, {&p.Pages, "the session page"},
		{&p.Clerk, "the Clerk instance"}, {&p.Upstream, "the app"},
	} {
		listener, err := net.Listen("tcp", address(*port.number))
		if err != nil {
			return p, fmt.Errorf("port %d, for %s, is taken; stop what listens there or use -free-ports: %w", *port.number, port.whose, err)
		}
		defer listener.Close() // all at the end, so that no port comes twice
		*port.number = listener.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

// origin is where browsers reach a port of the apps. Cookies belong to the name
// localhost, whatever the port, so that all of them have the same. The Clerk
// instance is at 127.0.0.1: another site, as a development instance is.
func origin(port int) string { return "http://localhost:" + strconv.Itoa(port) }

// address is where pieces reach each other.
func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
