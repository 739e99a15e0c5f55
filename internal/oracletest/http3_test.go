package oracletest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// overHTTP3 sends a request over QUIC. The library refuses some of what is
// generated; that is not sent.
func (c *client) overHTTP3(r *request) {
	ctx, cancel := context.WithTimeout(context.Background(), patienceWith([]*request{r}))
	defer cancel()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(c.peer)})
	if err != nil {
		return
	}
	defer socket.Close()
	quicTransport := &quic.Transport{Conn: socket}
	defer quicTransport.Close()
	address, err := net.ResolveUDPAddr("udp", c.edge.tls[c.upstream.name])
	if err != nil {
		return
	}
	transport := &http3.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true, ServerName: "app.test"}, // made for the run
		Dial: func(ctx context.Context, _ string, config *tls.Config, options *quic.Config) (*quic.Conn, error) {
			return quicTransport.DialEarly(ctx, address, config, options)
		},
	}
	defer transport.Close()
	request := (&http.Request{
		Method: r.method, URL: &url.URL{Scheme: "https", Host: "app.test", Opaque: r.target}, Host: r.host, Header: http.Header{idHeader: {r.id}},
	}).WithContext(ctx)
	for _, field := range r.fields {
		request.Header[field[0]] = append(request.Header[field[0]], field[1])
	}
	if r.body != "" {
		request.Body = io.NopCloser(strings.NewReader(r.body))
		request.ContentLength = int64(len(r.body))
	}
	c.expect(r, "HTTP/3", encode(r, false))
	response, err := transport.RoundTrip(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20)) // what there is of it
	c.answered(r, body)
}
