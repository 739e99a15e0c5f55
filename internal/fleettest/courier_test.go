package fleettest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/revocation"
)

// courier carries Clerk's deliveries, untouched, to whichever edge is to have
// them. It keeps the last one.
type courier struct {
	url string

	mu     sync.Mutex
	to     string // the address of the endpoint; empty: nowhere
	header http.Header
	body   []byte
}

func newCourier(t *testing.T) *courier {
	t.Helper()
	c := &courier{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// goTo has deliveries carried to an edge; nil loses them.
func (c *courier) goTo(e *edge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.to = ""; e != nil {
		c.to = e.origin + revocation.Path
	}
}

// ServeHTTP takes a delivery from Clerk and answers what the edge does.
func (c *courier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.header, c.body = r.Header.Clone(), body
	to := c.to
	c.mu.Unlock()
	if to == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(deliver(to, r.Header, body))
}

// again delivers the last one once more, as it was but for a change to its body.
func (c *courier) again(change func([]byte) []byte) (status int) {
	c.mu.Lock()
	to, header, body := c.to, c.header, bytes.Clone(c.body)
	c.mu.Unlock()
	if change != nil {
		body = change(body)
	}
	return deliver(to, header, body)
}

// deliver posts a body; 502 is no answer.
func deliver(to string, header http.Header, body []byte) (status int) {
	r, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return http.StatusBadGateway
	}
	for _, name := range []string{"Content-Type", "Svix-Id", "Svix-Timestamp", "Svix-Signature"} {
		r.Header[name] = header[name]
	}
	response, err := (&http.Client{Timeout: 15 * time.Second}).Do(r)
	if err != nil {
		return http.StatusBadGateway
	}
	defer response.Body.Close()
	return response.StatusCode
}
