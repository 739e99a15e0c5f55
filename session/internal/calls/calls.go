package calls

import (
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
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

// transport makes the calls to Clerk, all that a process makes for one instance: it
// bounds how many are under way, leaves Clerk alone for as long as it asks, and
// stops asking while it fails. Each kind of call has slots of its own, so that
// what strangers cause is never waited for by those who are signed in.
type transport struct {
	next http.RoundTripper
	// quietUntil is when Clerk, having had too many calls, takes more: Unix
	// nanoseconds.
	quietUntil atomic.Int64
	lanes      [kinds]lane
}

// Kind is what a call is for. The zero kind and the page are for people and
// machines that are known, the others for whoever comes.
type Kind int

// What calls are for.
const (
	ForKnown Kind = iota
	ForPage       // on which people see and end their sessions
	ForKeys
	ForNonce
	ForRefresh
	ForAPIKey
	ForM2MToken
	ForOAuthToken
	kinds
)

// ForToken is the kind of the calls about opaque tokens of a type that Clerk has not
// vouched for.
func ForToken(t policy.TokenType) Kind { return kindOfToken[t] }

var kindOfToken = map[policy.TokenType]Kind{
	policy.APIKey: ForAPIKey, policy.M2MToken: ForM2MToken, policy.OAuthToken: ForOAuthToken,
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
	// MaxKnown bounds the calls under way for those who are known; more
	// wait.
	MaxKnown = 64
	// MaxPage bounds those of pages on which people end their sessions; more
	// wait.
	MaxPage = 16
	// MaxStrangers bounds those of each kind that strangers cause; more are
	// refused.
	MaxStrangers = 32
	// MaxBody bounds an answer, in bytes, and maxList one with all sessions of
	// somebody.
	MaxBody = 256 << 10
	maxList = 1 << 20
	// ShortestQuiet and longestQuiet bound how long Clerk's Retry-After is
	// heeded.
	ShortestQuiet = time.Second
	longestQuiet  = 30 * time.Second
)

func newTransport(next http.RoundTripper) *transport {
	c := &transport{next: next}
	for kind := range c.lanes {
		switch kind := Kind(kind); kind {
		case ForKeys: // one at a time, and seldom
			c.lanes[kind] = lane{longest: MaxBody}
		case ForKnown:
			c.lanes[kind] = lane{slots: make(chan struct{}, MaxKnown), waits: true, circuit: new(circuit), longest: MaxBody}
		case ForPage:
			c.lanes[kind] = lane{slots: make(chan struct{}, MaxPage), waits: true, circuit: new(circuit), longest: maxList}
		default:
			c.lanes[kind] = lane{slots: make(chan struct{}, MaxStrangers), circuit: new(circuit), budget: newBudget(), longest: MaxBody}
		}
	}
	return c
}

func isBounded(client *http.Client) bool {
	_, ok := client.Transport.(*transport)
	return ok
}

// clients are the clients of all instances of this process, as long as somebody
// has them.
var clients struct {
	sync.Mutex
	of map[fingerprint.Sum]weak.Pointer[http.Client]
}

// SharedClient returns the client of an instance, which the text names: its Backend API
// and its key. It lives for as long as somebody has it.
func SharedClient(instance string) *http.Client {
	id := fingerprint.Of(instance)
	clients.Lock()
	defer clients.Unlock()
	if client := clients.of[id].Value(); client != nil {
		return client
	}
	if clients.of == nil {
		clients.of = map[fingerprint.Sum]weak.Pointer[http.Client]{}
	}
	for other, pointer := range clients.of {
		if pointer.Value() == nil {
			delete(clients.of, other)
		}
	}
	client := Client(nil)
	clients.of[id] = weak.Make(client)
	return client
}

// cause is what a call is made for, and who is behind it.
type cause struct {
	kind Kind
	from netip.Addr
}

type causeKey struct{}

// Because says what the calls under a context are for. Without, they are for
// somebody who is known.
func Because(ctx context.Context, kind Kind, from netip.Addr) context.Context {
	return context.WithValue(ctx, causeKey{}, cause{kind, from})
}

// CausedBy is the client that a request is from.
func CausedBy(r *policy.Request) netip.Addr {
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
func (c *transport) RoundTrip(r *http.Request) (*http.Response, error) {
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
func (c *transport) ask(r *http.Request, l *lane, from netip.Addr) (*http.Response, error) {
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

// retryAfter is how long Clerk wants to be left alone (RFC 9110 § 10.2.3), within
// reason.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 64)
	if err != nil {
		return ShortestQuiet
	}
	return max(time.Duration(min(seconds, uint64(longestQuiet/time.Second)))*time.Second, ShortestQuiet)
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
