package forwardauth_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/internal/testproxy"
	"github.com/clerkgate/clerkgate/policy"
)

// patience bounds one exchange.
const patience = 20 * time.Second

// trustsAll trusts every peer: the tests are all on one host.
func trustsAll(netip.Addr) bool { return true }

// stage is a real proxy between a client and an application, which asks a handler. The
// handler decides by the policy of the case that is on.
type stage struct {
	proxy string
	// mu orders what goes on around the proxy, which is another process.
	mu sync.Mutex
	// decides is the policy in force.
	decides *policy.Policy
	last    policy.Decision
	// peer is who the proxy is to say that the client is, and scheme by what it came: both
	// are of this host otherwise.
	peer, scheme string
	// asked counts the checks, and received is what the application got.
	asked    int
	received *http.Request
}

func (s *stage) Decide(ctx context.Context, r *policy.Request) policy.Decision {
	s.last = s.decides.Decide(ctx, r)
	return s.last
}

// startStage runs a proxy.
func startStage(t *testing.T, name string) *stage {
	t.Helper()
	s := new(stage)
	handler, err := forwardauth.New(s, forwardauth.Options{Trusts: trustsAll, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	checks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asked++; r.Header.Get("X-Clerkgate-Answer") == "" {
			s.disguise(r)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(checks.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.received = r
		w.Header().Set("X-App", "1")
	}))
	t.Cleanup(app.Close)
	s.proxy = testproxy.Start(t, name, testproxy.Places(app.Listener, checks.Listener), func(config string) string {
		return testproxy.WithIdentity(name, testproxy.Bare(name, config), corpusIdentity)
	})
	return s
}

// disguise changes what a proxy on this host cannot say otherwise.
func (s *stage) disguise(r *http.Request) {
	if url := r.Header.Get("X-Original-Url"); url != "" {
		_, rest, _ := strings.Cut(url, "://")
		r.Header.Set("X-Original-Url", s.scheme+"://"+rest)
		r.Header.Set("X-Real-Ip", s.peer)
	}
	if r.Header.Get("X-Forwarded-Proto") != "" {
		r.Header.Set("X-Forwarded-Proto", s.scheme)
	}
	if chain := r.Header.Values("X-Forwarded-For"); len(chain) > 0 {
		all := strings.Join(chain, ",")
		r.Header.Set("X-Forwarded-For", all[:strings.LastIndexByte(all, ',')+1]+s.peer)
	}
}

// begin forgets the last request.
func (s *stage) begin(c *corpus.Case) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received, s.last, s.asked = nil, policy.Decision{}, 0
	s.peer, s.scheme = c.Request.Peer, c.Request.Scheme
}

// exchange sends a case's request, and says what came of it.
func (s *stage) exchange(t *testing.T, c *corpus.Case) *corpus.Exchange {
	t.Helper()
	s.begin(c)
	conn, err := net.DialTimeout("tcp", s.proxy, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.Request.Method, cmp.Or(c.Request.Sent, c.Request.Target), c.Request.Host)
	var body string
	for _, h := range c.Request.Headers {
		fmt.Fprintf(conn, "%s: %s\r\n", h.Name, h.Value)
		switch {
		case strings.EqualFold(h.Name, "Upgrade"): // HAProxy answers those without it itself
			fmt.Fprint(conn, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
		case strings.EqualFold(h.Name, "Content-Length"):
			n, _ := strconv.Atoi(h.Value)
			body = strings.Repeat("x", n)
		case strings.EqualFold(h.Name, "Transfer-Encoding"):
			body = "0\r\n\r\n"
		}
	}
	fmt.Fprint(conn, "\r\n"+body)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.Request.Method})
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := corpus.ExchangeOf(&s.last)
	x.Status, x.Header, x.Body = response.StatusCode, response.Header, string(page)
	if s.received != nil {
		x.Upstream = s.received.Header
	}
	return x
}

// corpusIdentity are the headers of the corpus beside those of the examples.
var corpusIdentity = []string{"X-Who", "X-Clerkgate-Assertion", "X-Hasura-Token", "X-User-Email", "X-User-Name"}

// TestCorpusThroughProxies holds every proxy to the decisions that the policy makes by
// itself, as far as it can say them.
func TestCorpusThroughProxies(t *testing.T) {
	for _, name := range testproxy.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStage(t, name)
			var same, refused, differ int
			for _, c := range corpus.Load(t, "../policy/testdata/decisions") {
				t.Run(c.Name, func(t *testing.T) {
					if c.Request.RuleName != "" || c.Request.Sent != "" {
						t.Skip("no proxy of these names a rule, or tells of a target before and after")
					}
					s.mu.Lock()
					s.decides = c.Policy(t)
					s.mu.Unlock()
					var x *corpus.Exchange
					for range c.Times {
						x = s.exchange(t, &c)
					}
					switch why := s.differs(name, &c, x); {
					case s.asked == 0:
						refused++
						s.checkOwnRefusal(t, name, &c, x)
					case why == "":
						same++
						c.Check(t, x)
					default:
						differ++
						t.Log(why)
						c.Check(t, x)
					}
				})
			}
			t.Logf("%s: %d decided alike, %d with a difference that has a name, %d refused by the proxy itself", name, same, differ, refused)
			if same < 100 {
				t.Errorf("only %d cases were decided alike", same)
			}
		})
	}
}
