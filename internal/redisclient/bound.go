package redisclient

import (
	"errors"
	"net"
)

// Bounds of one answer. The driver allocates the announced length before the data
// arrives, so a server that announces more could exhaust the memory.
const (
	maxAnswerBytes    = 64 << 20
	maxAnswerElements = 1 << 18
	maxAnswerDepth    = 16
	maxAnswerLine     = 64 << 10
)

var errAnswerTooLarge = errors.New("redis: the answer is larger than any that is asked for")

// boundedConn is a connection that bounds answers. It follows the lengths of the protocol
// (RESP), and returns an error before the driver sees one that is too large.
type boundedConn struct {
	net.Conn
	err error
	// skip is how many bytes are left of a bulk string, with the end of its line.
	skip int
	// kind and number are those at the start of the present line.
	kind   byte
	number int
	length int // of the line so far
	minus  bool
	// open is the number of elements that are still to come, of each nested aggregate.
	open            []int
	bytes, elements int
}

// NetConn returns the connection itself, by which the driver detects that it was closed.
func (c *boundedConn) NetConn() net.Conn { return c.Conn }

// Read reads answers that are within the bounds, and returns an error for others.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0 && c.err == nil; {
		rest = c.follow(rest)
	}
	if c.err != nil {
		return 0, c.err
	}
	return n, err
}

// follow parses a part of what was read, a bulk string or a byte of a line, and returns
// the rest.
func (c *boundedConn) follow(b []byte) []byte {
	if c.skip > 0 {
		n := min(c.skip, len(b))
		c.count(n)
		if c.skip -= n; c.skip == 0 {
			c.part()
		}
		return b[n:]
	}
	c.count(1)
	switch digit := b[0]; {
	case digit == '\n':
		c.endLine()
	case c.length == 0:
		c.kind, c.number, c.minus = digit, 0, false
		c.length++
	default:
		if c.length++; c.length > maxAnswerLine {
			c.err = errAnswerTooLarge
		}
		if digit >= '0' && digit <= '9' && c.number <= maxAnswerBytes {
			c.number = 10*c.number + int(digit-'0')
		}
		c.minus = c.minus || digit == '-' || digit == '?'
	}
	return b[1:]
}

// endLine processes the length of a line.
func (c *boundedConn) endLine() {
	kind, n := c.kind, c.number
	c.length = 0
	if c.minus {
		n = -1 // null, or streamed without a length
	}
	switch kind {
	case '$', '=', '!':
		if n > maxAnswerBytes {
			c.err = errAnswerTooLarge
		} else if n >= 0 {
			c.skip = n + 2
			return
		}
		c.part()
	case '*', '~', '>', '%', '|':
		if kind == '%' || kind == '|' {
			n *= 2
		}
		if kind == '|' {
			n++ // attributes precede their value
		}
		if n <= 0 {
			c.part()
			return
		}
		c.elements += min(n, maxAnswerElements+1)
		c.open = append(c.open, n)
		if c.elements > maxAnswerElements || len(c.open) > maxAnswerDepth {
			c.err = errAnswerTooLarge
		}
	default:
		c.part()
	}
}

// part ends an element, and every aggregate whose last one it was.
func (c *boundedConn) part() {
	for len(c.open) > 0 {
		last := len(c.open) - 1
		if c.open[last]--; c.open[last] > 0 {
			return
		}
		c.open = c.open[:last]
	}
	c.bytes, c.elements = 0, 0
}

func (c *boundedConn) count(n int) {
	if c.bytes += n; c.bytes > maxAnswerBytes {
		c.err = errAnswerTooLarge
	}
}
