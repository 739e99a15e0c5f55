package sessiontest

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// Endpoint is a key set's address that answers in memory.
type Endpoint struct {
	mu     sync.Mutex
	Status int
	Body   []byte
	Err    error
	Delay  time.Duration
	Calls  atomic.Int32
	Last   *http.Request
}

// RoundTrip implements [http.RoundTripper].
func (e *Endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.Calls.Add(1)
	e.mu.Lock()
	status, body, err, delay := e.Status, e.Body, e.Err, e.Delay
	e.Last = r
	e.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	header := http.Header{"Location": {"https://elsewhere.example.com/"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// Serve answers with these keys from now on.
func (e *Endpoint) Serve(t *testing.T, keys ...object) {
	t.Helper()
	e.Set(http.StatusOK, mint.KeySet(t, keys...), nil, 0)
}

// Set answers so from now on.
func (e *Endpoint) Set(status int, body []byte, err error, delay time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Status, e.Body, e.Err, e.Delay = status, body, err, delay
}

// ExpectCalls compares the number of calls since the last time.
func (e *Endpoint) ExpectCalls(t *testing.T, want int32, when string) {
	t.Helper()
	if got := e.Calls.Swap(0); got != want {
		t.Errorf("%d calls %s, want %d", got, when, want)
	}
}

// ReadAll returns the text of a body.
func ReadAll(tb testing.TB, r io.ReadCloser) string {
	tb.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// RoundTrip answers every call alike.
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f RoundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
