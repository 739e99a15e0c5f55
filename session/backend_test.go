package session

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// scriptedBackend is Clerk's Backend API: the answer to the making of a token, and to
// the question about its session.
type scriptedBackend struct {
	mu             sync.Mutex
	token, session reply
	asked          []string // method and path of every call
	last           *http.Request
	under, most    int // calls under way, now and at most
}

type reply struct {
	status int
	body   string
	header http.Header
	err    error
	delay  time.Duration
}

func (b *scriptedBackend) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	a := b.session
	if r.Method == http.MethodPost {
		a = b.token
	}
	b.asked, b.last = append(b.asked, r.Method+" "+r.URL.Path), r
	b.under++
	b.most = max(b.most, b.under)
	b.mu.Unlock()
	defer func() { b.mu.Lock(); b.under--; b.mu.Unlock() }()
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// makes answers with a token from now on.
func (b *scriptedBackend) makes(token string, delay time.Duration) { b.answers(made(token), delay) }

func (b *scriptedBackend) answers(a reply, delay time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.delay = delay
	b.token = a
}

// calls returns the calls since the last time.
func (b *scriptedBackend) calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.asked
	b.asked = nil
	return calls
}

func (b *scriptedBackend) expectCalls(t *testing.T, want int, when string) {
	t.Helper()
	if got := b.calls(); len(got) != want {
		t.Errorf("calls %s: %q, want %d", when, got, want)
	}
}

func made(token string) reply {
	return reply{status: http.StatusOK, body: fmt.Sprintf(`{"object":"token","jwt":%q}`, token)}
}

func failure(status int) reply {
	return reply{status: status, body: fmt.Sprintf(`{"errors":[{"code":"canary_code","message":"canary_%d"}]}`, status)}
}

func testTokens(tb testing.TB, b http.RoundTripper) *Tokens {
	tb.Helper()
	tokens, err := NewTokens(Config{SecretKey: "sk_live_canary"}, &http.Client{Transport: b})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

// templateToken is a token that a template made, with a signature that says
// what it is.
func templateToken(tb testing.TB, expires time.Time, changes object) string {
	tb.Helper()
	claims := with(object{"sub": "user_a", "exp": expires.Unix(), "aud": "hasura"}, changes)
	return jsonSegment(tb, object{"alg": "HS256", "cat": "cl_B7d4PD222AAA"}) + "." + jsonSegment(tb, claims) + "." + segment([]byte("canary-signature"))
}

var asker = &policy.Principal{TokenType: policy.SessionToken, UserID: "user_a", SessionID: "sess_a", OrgID: "org_a"}
