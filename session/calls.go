package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/clerkgate/clerkgate/policy"
)

// calls makes the calls to Clerk, all that a process makes for one instance: it
// bounds how many are under way, leaves Clerk alone for as long as it asks, and
// stops asking while it fails. Each kind of call has slots of its own, so that
// what strangers cause is never waited for by those who are signed in.
type calls struct {
	next http.RoundTripper
	// quietUntil is when Clerk, having had too many calls, takes more: Unix
	// nanoseconds.
	quietUntil atomic.Int64
	lanes      [callKinds]lane
}

// callKind is what a call is for. The zero kind and the page are for people and
// machines that are known, the others for whoever comes.
type callKind int

const (
	callForKnown callKind = iota
	callForPage           // on which people see and end their sessions
	callForKeys
	callForNonce
	callForRefresh
	callForAPIKey
	callForM2MToken
	callForOAuthToken
	callKinds
)

// kindOfToken is the kind of the calls about opaque tokens of a type.
var kindOfToken = map[policy.TokenType]callKind{
	policy.APIKey: callForAPIKey, policy.M2MToken: callForM2MToken, policy.OAuthToken: callForOAuthToken,
}

// lane is the share of one kind of calls.
type lane struct {
	slots   chan struct{} // nil: as many as come
	waits   bool          // for a slot, as long as a call may take
	circuit *circuit      // nil: asks whatever became of earlier calls
	budget  *budget       // nil: no matter who causes them
	longest int           // bytes of an answer
}

const (
	// maxKnownCalls bounds the calls under way for those who are known; more
	// wait.
	maxKnownCalls = 64
	// maxPageCalls bounds those of pages on which people end their sessions; more
	// wait.
	maxPageCalls = 16
	// maxStrangersCalls bounds those of each kind that strangers cause; more are
	// refused.
	maxStrangersCalls = 32
	// maxBody bounds an answer, in bytes, and maxList one with all sessions of
	// somebody.
	maxBody = 256 << 10
	maxList = 1 << 20
	// shortestQuiet and longestQuiet bound how long Clerk's Retry-After is
	// heeded.
	shortestQuiet = time.Second
	longestQuiet  = 30 * time.Second
)

func newCalls(next http.RoundTripper) *calls {
	c := &calls{next: next}
	for kind := range c.lanes {
		switch kind := callKind(kind); kind {
		case callForKeys: // one at a time, and seldom
			c.lanes[kind] = lane{longest: maxBody}
		case callForKnown:
			c.lanes[kind] = lane{slots: make(chan struct{}, maxKnownCalls), waits: true, circuit: new(circuit), longest: maxBody}
		case callForPage:
			c.lanes[kind] = lane{slots: make(chan struct{}, maxPageCalls), waits: true, circuit: new(circuit), longest: maxList}
		default:
			c.lanes[kind] = lane{slots: make(chan struct{}, maxStrangersCalls), circuit: new(circuit), budget: newBudget(), longest: maxBody}
		}
	}
	return c
}

// Client returns the client for calls to Clerk, for this and for everybody else
// who has an instance's secret key: they share its bounds. It follows no
// redirect, gives up after three seconds and reads at most 256 KiB of an answer.
// The base lends its connections; nil is [http.DefaultClient]. A client that came
// from here is returned as it is.
func Client(cfg Config, base *http.Client) *http.Client {
	switch {
	case base == nil:
		return shared(cfg.trimmed())
	case isBounded(base):
		return base
	}
	return boundedClient(base)
}

func isBounded(client *http.Client) bool {
	_, ok := client.Transport.(*calls)
	return ok
}

// clients are the clients of all instances of this process, as long as somebody
// has them.
var clients struct {
	sync.Mutex
	of map[fingerprint]weak.Pointer[http.Client]
}

// shared returns the client of an instance.
func shared(cfg Config) *http.Client {
	id := fingerprintOf(cfg.APIURL + "\n" + cmp.Or(cfg.SecretKey, cfg.PublishableKey))
	clients.Lock()
	defer clients.Unlock()
	if client := clients.of[id].Value(); client != nil {
		return client
	}
	if clients.of == nil {
		clients.of = map[fingerprint]weak.Pointer[http.Client]{}
	}
	for other, pointer := range clients.of {
		if pointer.Value() == nil {
			delete(clients.of, other)
		}
	}
	client := boundedClient(nil)
	clients.of[id] = weak.Make(client)
	return client
}

// cause is what a call is made for, and who is behind it.
type cause struct {
	kind callKind
	from netip.Addr
}

type causeKey struct{}

// because says what the calls under a context are for. Without, they are for
// somebody who is known.
func because(ctx context.Context, kind callKind, from netip.Addr) context.Context {
	return context.WithValue(ctx, causeKey{}, cause{kind, from})
}

// causedBy is the client that a request is from.
func causedBy(r *policy.Request) netip.Addr {
	if r.Client.IsValid() {
		return r.Client
	}
	return r.Peer
}

// Why no call was made.
var (
	errQuiet   = errors.New("too many calls to Clerk of late: it asks for quiet")
	errFull    = errors.New("too many calls to Clerk are under way")
	errSpent   = errors.New("too many calls to Clerk came to nothing")
	errFailing = errors.New("calls to Clerk failed time and again")
)

// RoundTrip implements [http.RoundTripper].
func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	why, _ := r.Context().Value(causeKey{}).(cause)
	l := &c.lanes[why.kind]
	release, err := l.enter(r.Context())
	if err != nil {
		return nil, err
	}
	resp, err := c.ask(r, l, why.from)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: l.longest, release: sync.OnceFunc(release)}
	return resp, nil
}

// ask makes a call that has its slot, unless there is a reason not to.
func (c *calls) ask(r *http.Request, l *lane, from netip.Addr) (*http.Response, error) {
	now := time.Now()
	if now.UnixNano() < c.quietUntil.Load() {
		return nil, errQuiet
	}
	if !l.budget.take(from, now) {
		return nil, errSpent
	}
	try, ok := l.circuit.begin(now)
	if !ok {
		l.budget.giveBack(from)
		return nil, errFailing
	}
	resp, err := c.next.RoundTrip(r)
	l.circuit.end(try, err == nil && answers(resp.StatusCode), time.Now())
	switch {
	case err != nil:
	case resp.StatusCode == http.StatusTooManyRequests:
		c.quietUntil.Store(time.Now().Add(retryAfter(resp.Header)).UnixNano())
	case resp.StatusCode == http.StatusOK:
		l.budget.giveBack(from)
	}
	return resp, err
}

// enter takes a slot.
func (l *lane) enter(ctx context.Context) (release func(), err error) {
	if l.slots == nil {
		return func() {}, nil
	}
	leave := func() { <-l.slots }
	select {
	case l.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if !l.waits {
		return nil, errFull
	}
	select {
	case l.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, errFull
	}
}

// answers reports whether a status says that Clerk is well. What it says of the
// question is another matter.
func answers(status int) bool {
	return status < http.StatusInternalServerError && status != http.StatusRequestTimeout
}

// isVerdict reports whether a status that is an error is about what was asked,
// and not about the one who asks or the time.
func isVerdict(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return 400 <= status && status < 500
}

// retryAfter is how long Clerk wants to be left alone (RFC 9110 § 10.2.3), within
// reason.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 64)
	if err != nil {
		return shortestQuiet
	}
	return max(time.Duration(min(seconds, uint64(longestQuiet/time.Second)))*time.Second, shortestQuiet)
}

// boundedBody caps the body of an answer, and gives the slot of its call back
// with it. A longer body is an error, not cut.
type boundedBody struct {
	io.ReadCloser
	left    int
	release func()
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return b.left, errBodyTooLong
	}
	b.left -= n
	return n, err
}

func (b *boundedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
