package sessiontest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Scripted is Clerk's Backend API: the answer to the making of a token, and to
// the question about its session.
type Scripted struct {
	mu             sync.Mutex
	Token, Session Reply
	asked          []string // method and path of every call
	Last           *http.Request
	under, Most    int // calls under way, now and at most
}

// Reply is an answer, and how long it takes.
type Reply struct {
	Status int
	Body   string
	Header http.Header
	Err    error
	Delay  time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (b *Scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	a := b.Session
	if r.Method == http.MethodPost {
		a = b.Token
	}
	b.asked, b.Last = append(b.asked, r.Method+" "+r.URL.Path), r
	b.under++
	b.Most = max(b.Most, b.under)
	b.mu.Unlock()
	defer func() { b.mu.Lock(); b.under--; b.mu.Unlock() }()
	select {
	case <-time.After(a.Delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.Err != nil {
		return nil, a.Err
	}
	if a.Header == nil {
		a.Header = http.Header{}
	}
	return &http.Response{StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(strings.NewReader(a.Body)), Request: r}, nil
}

// Make answers with a token from now on.
func (b *Scripted) Make(token string, delay time.Duration) { b.AnswerWith(Made(token), delay) }

// AnswerWith answers the making of a token so from now on.
func (b *Scripted) AnswerWith(a Reply, delay time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Delay = delay
	b.Token = a
}

// TakeCalls returns the calls since the last time.
func (b *Scripted) TakeCalls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.asked
	b.asked = nil
	return calls
}

// ExpectCalls compares the number of calls since the last time.
func (b *Scripted) ExpectCalls(t *testing.T, want int, when string) {
	t.Helper()
	if got := b.TakeCalls(); len(got) != want {
		t.Errorf("calls %s: %q, want %d", when, got, want)
	}
}

// Made is the answer with a token.
func Made(token string) Reply {
	return Reply{Status: http.StatusOK, Body: fmt.Sprintf(`{"object":"token","jwt":%q}`, token)}
}

// Failure is an answer that is an error.
func Failure(status int) Reply {
	return Reply{Status: status, Body: fmt.Sprintf(`{"errors":[{"code":"canary_code","message":"canary_%d"}]}`, status)}
}
