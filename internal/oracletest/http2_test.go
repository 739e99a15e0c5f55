package oracletest

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Session writes frames as they are, so that what no library would send can
// be sent.
type http2Session struct {
	conn    io.Writer
	framer  *http2.Framer
	encoded bytes.Buffer
	encoder *hpack.Encoder
}

func newHTTP2(conn io.Writer, answers *bufio.Reader) *http2Session {
	s := &http2Session{conn: conn, framer: http2.NewFramer(conn, answers)}
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.framer.AllowIllegalWrites = true
	s.encoder = hpack.NewEncoder(&s.encoded)
	return s
}

// start begins the session. An error shows when the answers are read, here and
// below.
func (s *http2Session) start() {
	_, _ = io.WriteString(s.conn, http2.ClientPreface)
	_ = s.framer.WriteSettings()
}

// send writes a request on a stream.
func (s *http2Session) send(stream uint32, r *request) {
	fields := [][2]string{{":method", r.method}, {":scheme", "http"}, {":authority", r.host}, {":path", r.target}, {strings.ToLower(idHeader), r.id}}
	for _, field := range r.fields {
		fields = append(fields, [2]string{strings.ToLower(field[0]), field[1]})
	}
	s.writeFields(stream, fields, r.body == "" && r.trailers == nil)
	if r.body != "" {
		_ = s.framer.WriteData(stream, r.trailers == nil, []byte(r.body))
	}
	if r.trailers != nil {
		s.writeFields(stream, r.trailers, true)
	}
}

func (s *http2Session) writeFields(stream uint32, fields [][2]string, last bool) {
	s.encoded.Reset()
	for _, field := range fields {
		_ = s.encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(field[0]), Value: field[1]})
	}
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.encoded.Bytes(), EndStream: last, EndHeaders: true})
}

// receive reads answers until all streams are done.
func (s *http2Session) receive(open map[uint32]*request, answered func(r *request, body []byte)) {
	bodies := map[uint32][]byte{}
	end := func(stream uint32) {
		if r := open[stream]; r != nil {
			answered(r, bodies[stream])
		}
		delete(open, stream)
	}
	for len(open) > 0 {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = s.framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				end(f.StreamID)
			}
		case *http2.DataFrame:
			bodies[f.StreamID] = append(bodies[f.StreamID], f.Data()...)
			if f.StreamEnded() {
				end(f.StreamID)
			}
		case *http2.RSTStreamFrame:
			end(f.StreamID)
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return
			}
		}
	}
}

// overHTTP2 sends the requests as streams of one connection.
func (c *client) overHTTP2(g *generator, requests []*request, overTLS bool) {
	protocol := "HTTP/2"
	if overTLS {
		protocol = "HTTP/2 over TLS"
	}
	open := map[uint32]*request{}
	for i, r := range requests {
		if !r.control && g.chance(12) {
			r.fields = append(r.fields, pick(g, [2]string{"host", "admin.test"}, [2]string{":path", "/admin"}, [2]string{"transfer-encoding", "chunked"}, [2]string{"x-a", "b\r\nX-User-Id: user_forged"}, [2]string{":protocol", "websocket"}))
		}
		open[uint32(2*i+1)] = r
		c.expect(r, protocol, encode(r, false))
	}
	conn, err := c.dial(overTLS, "h2")
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patienceWith(requests)))
	session := newHTTP2(conn, bufio.NewReader(conn))
	session.start()
	for i, r := range requests {
		session.send(uint32(2*i+1), r)
	}
	session.receive(open, c.answered)
}
