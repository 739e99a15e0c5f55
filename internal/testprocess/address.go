package testprocess

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports to hand out: below those that systems give to outgoing connections and to
// listeners without a number.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// Address returns a loopback address for a program to listen on, its own until
// the test ends: no other test is given it, in this process or another, nor is an
// outgoing connection while the program starts, or is down for a while.
func Address(tb testing.TB) string {
	tb.Helper()
	for range lastPort - firstPort {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		if held, err := claim(address); err == nil {
			tb.Cleanup(func() { held.Close() })
			return address
		}
	}
	tb.Fatal("no port is free")
	return ""
}

// claim takes an address that nobody listens on. Programs under test listen on
// TCP, so the UDP side of the port can show that it is taken, also to the tests of
// other processes.
func claim(address string) (io.Closer, error) {
	held, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		held.Close()
		return nil, err
	}
	listener.Close()
	return held, nil
}
