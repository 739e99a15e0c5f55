package testredis

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Link is a way to a server that can be cut: connections are reset, and new ones
// lead nowhere, until it is healed. It ends with the test.
type Link struct {
	// Addr is host and port of the near end.
	Addr string

	mu     sync.Mutex
	broken bool
	conns  map[net.Conn]bool
}

// NewLink makes a way to an address.
func NewLink(tb testing.TB, to string) *Link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Link{Addr: listener.Addr().String(), conns: map[net.Conn]bool{}}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			far, err := net.Dial("tcp", to)
			if err != nil || !l.join(near, far) {
				near.Close()
				continue
			}
			served.Go(func() { l.copy(near, far) })
			served.Go(func() { l.copy(far, near) })
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		l.Cut()
		served.Wait()
	})
	return l
}

// Cut ends all connections, and those to come.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// Heal lets connections pass again.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}

// join takes both ends of a connection; a broken link closes them.
func (l *Link) join(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.broken {
			c.Close()
		} else {
			l.conns[c] = true
		}
	}
	return !l.broken
}

// copy carries one direction, and ends both with it.
func (l *Link) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from) // ends with either
	to.Close()
	from.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, from)
}
